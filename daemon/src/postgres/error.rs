//! The layer's one error, and what PostgreSQL said.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::text::escaped;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between the daemon and a database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server did not answer, or closed the connection.
    #[error("{doing}: the database cannot be reached")]
    Unreachable { doing: &'static str, source: sqlx::Error },
    /// The server answered with an error that has no variant of its own.
    #[error("{doing}")]
    Query { doing: &'static str, source: sqlx::Error },
    /// Another daemon took a later epoch; this one must not write any more.
    #[error("another daemon has taken over the control database")]
    Fenced,
    /// No sign of life got through for as long as one is good: until one does, another daemon may take over.
    #[error("the control database was out of reach for longer than this daemon's lease")]
    LeaseLapsed,
    /// An operation on this tenant runs already.
    #[error("another operation on this tenant is running")]
    Busy,
    #[error("a living tenant has this name")]
    SlugTaken,
    #[error("the placement name is in use")]
    PlacementTaken,
    #[error("the idempotency key is in use")]
    KeyTaken,
    #[error("this version of the blueprint exists already")]
    VersionExists,
    /// The marker of this operation exists: its build was committed, or declared void.
    #[error("the operation's marker exists already")]
    MarkerExists,
    /// Somebody else has built the pool meanwhile.
    #[error("the pool exists already")]
    PoolExists,
    /// The audit trail is not what this daemon wrote: nothing is changed on top of it.
    #[error("{0}")]
    Distrusted(String),
    /// The audit trail's anchor file cannot be written: nothing is changed until it can.
    #[error("the audit trail's anchor cannot be written, and without it nothing is changed: {0}")]
    Unanchored(String),
    /// What is stored cannot be read back.
    #[error("{what} in the control database is not readable: {why}")]
    Corrupt { what: &'static str, why: String },
    /// A privilege or a state that the work needs is missing; the sentence says which and what to do.
    #[error("{0}")]
    Refused(String),
    /// What was told to end is still there. It may yet go; the sentence says what it is.
    #[error("{0}")]
    Lingering(String),
    /// The target knows nothing of a build that the registry has as committed.
    #[error(
        "the target has no marker of the tenant's build {build}: it was restored to an earlier time, or is another server \
         than before. Bring it back and try again; a tenant that is gone for good is rolled back with --discard-data"
    )]
    Unmarked { build: OperationId },
}

#[cfg(feature = "faults")]
impl From<crate::fault::Broken> for Error {
    fn from(broken: crate::fault::Broken) -> Self {
        match broken {
            crate::fault::Broken::Lost(doing) => {
                Self::Unreachable { doing, source: sqlx::Error::WorkerCrashed }
            }
            crate::fault::Broken::Refused(why) => Self::Refused(why),
        }
    }
}

/// Characters of a server's text that are kept: a migration can raise an error of any length, and its text goes into
/// the registry, into every list and to every watcher.
const LONGEST_TEXT: usize = 2_000;

/// The server's own words about an error, each cut to a bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// Whatever it says, it decides nothing by itself: see [`ServerError::is`].
    pub sqlstate: String,
    /// Who chose the SQLSTATE.
    pub origin: Origin,
    /// On one line: a migration can raise an error of any text.
    pub message: String,
    /// Character position of a syntax error in the statement itself, from 1.
    pub position: Option<usize>,
    /// Character position of a syntax error in the statement that a function executed, from 1.
    pub inner_position: Option<usize>,
    /// The statement that `inner_position` is in.
    pub inner_query: Option<String>,
    /// The call stack in the server; names the statement that a function executed.
    pub context: Option<String>,
}

/// Who gave an error its SQLSTATE, the name of its constraint, and its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The server, about what it found.
    Server,
    /// A statement or function, which can say what it likes.
    Raised,
}

/// Where the server passes on what code in a procedural language chose to say: files of its source.
const OF_LANGUAGES: [&str; 6] =
    ["pl_exec.c", "pltcl.c", "plperl.c", "plpy_elog.c", "plpy_plpymodule.c", "plv8.cc"];
/// The same for what another server said.
const OF_SERVERS: [&str; 2] = ["dblink_res_error", "pgfdw_report_error"];

impl ServerError {
    /// The server itself says so: what is decided by an SQLSTATE is decided by this. A migration that raises an error of its
    /// own with that code is believed to have failed, and nothing else.
    pub fn is(&self, sqlstate: &str) -> bool {
        self.origin == Origin::Server && self.sqlstate == sqlstate
    }

    /// The same for the codes that begin so.
    fn is_of_class(&self, class: &str) -> bool {
        self.origin == Origin::Server && self.sqlstate.starts_with(class)
    }

    /// Two changed the same row of the catalog, and this one came second.
    pub fn is_concurrent_update(&self) -> bool {
        self.is("XX000") && self.message.starts_with("tuple concurrently ")
    }

    /// The same for one of several.
    pub fn is_any(&self, sqlstates: &[&str]) -> bool {
        sqlstates.iter().any(|sqlstate| self.is(sqlstate))
    }
}

/// Who the error is from. What came through something that leaves the place in the source out is taken for the server's.
pub fn origin(error: &PgDatabaseError) -> Origin {
    // Builds outside their source tree name the whole path.
    let file = error.file().and_then(|file| file.rsplit('/').next());
    let is_raised = file.is_some_and(|file| OF_LANGUAGES.contains(&file))
        || error.routine().is_some_and(|routine| OF_SERVERS.contains(&routine));
    if is_raised { Origin::Raised } else { Origin::Server }
}

/// For `map_err`: names what was being done.
pub fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::from_sqlx(doing, source)
}

/// For `map_err` where a tenant's own statement ran: its constraints and codes are its own, whatever their names.
pub fn doing_for_a_tenant(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| match &source {
        sqlx::Error::Database(error) if !ends_the_session(error.as_ref()) => Error::Query { doing, source },
        _ => Error::from_sqlx(doing, source),
    }
}

impl Error {
    fn from_sqlx(doing: &'static str, source: sqlx::Error) -> Self {
        match &source {
            sqlx::Error::Database(error) => match error.constraint() {
                _ if is_raised(error.as_ref()) => Self::Query { doing, source },
                Some("tenant_slug_living") => Self::SlugTaken,
                Some("operation_one_at_a_time") => Self::Busy,
                Some("tenant_placement_unique" | "placement_name_unique") => Self::PlacementTaken,
                Some("idempotency_key_pk") => Self::KeyTaken,
                Some("blueprint_version_pk") => Self::VersionExists,
                Some("placement_pk") => Self::MarkerExists,
                Some("pool_one_of_a_version") => Self::PoolExists,
                _ if is_shutdown(error.code().as_deref()) => Self::Unreachable { doing, source },
                _ => Self::Query { doing, source },
            },
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unreachable { doing, source },
            _ => Self::Query { doing, source },
        }
    }

    /// What the server said, if it was the server.
    pub fn server(&self) -> Option<ServerError> {
        let (Self::Query { source, .. } | Self::Unreachable { source, .. }) = self else { return None };
        let error = source.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
        let (inner_position, inner_query) = match error.position() {
            Some(PgErrorPosition::Internal { position, query }) => (Some(position), Some(beginning(query))),
            _ => (None, None),
        };
        let position = match error.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            _ => None,
        };
        Some(ServerError {
            sqlstate: error.code().to_owned(),
            origin: origin(error),
            message: escaped(&with_detail(error)).into_owned(),
            position,
            inner_position,
            inner_query,
            context: error.r#where().map(end),
        })
    }

    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// A lost connection, a lock that was not free, a race between two transactions, a full disk: later it can work.
    pub fn is_passing(&self) -> bool {
        let passing = |server: &ServerError| {
            server.is_any(&["40001", "40P01", "55P03", "55006", "25006", "53100"])
                || server.is_concurrent_update()
        };
        self.is_unreachable()
            || matches!(self, Self::LeaseLapsed | Self::Unanchored(_))
            || self.server().as_ref().is_some_and(passing)
    }

    /// Trying again meets the same, until somebody changes something: a state that the work cannot begin from, or a right
    /// that is missing.
    pub fn is_for_good(&self) -> bool {
        const NO_PRIVILEGE: &str = "42501";
        match self {
            Self::Refused(_) | Self::Unmarked { .. } | Self::Fenced | Self::Corrupt { .. } => true,
            Self::Query { .. } => self.server().is_some_and(|server| server.is(NO_PRIVILEGE)),
            _ => false,
        }
    }

    /// The server does not let the daemon in. Whoever changes a password does so in two places, one after the other: it passes,
    /// and then what was begun goes on by itself.
    pub fn is_locked_out(&self) -> bool {
        const NO_AUTHORIZATION: &str = "28";
        self.server().is_some_and(|server| server.is_of_class(NO_AUTHORIZATION))
    }

    /// One line with the whole chain of causes, for a person; the server's message rather than the driver's.
    pub fn explain(&self) -> String {
        match (self, self.server()) {
            (_, Some(server)) => format!("{self}: {} ({})", server.message, server.sqlstate),
            (Self::Unreachable { source, .. } | Self::Query { source, .. }, None) => {
                escaped(&format!("{self}: {source}")).into_owned()
            }
            _ => self.to_string(),
        }
    }
}

fn is_raised(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| origin(error) == Origin::Raised)
}

/// A statement can raise an error with any code, but only the server ends a session.
fn ends_the_session(error: &dyn sqlx::error::DatabaseError) -> bool {
    error
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// What the server said; where the message only says that something depends on it, also what.
fn with_detail(error: &PgDatabaseError) -> String {
    const DEPENDENTS_EXIST: &str = "2BP01";
    match error.detail().filter(|_| error.code() == DEPENDENTS_EXIST) {
        Some(detail) => beginning(&format!("{}: {}", beginning(error.message()), detail.replace('\n', "; "))),
        None => beginning(error.message()),
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// The outermost call stands last in the server's account of its calls.
fn end(text: &str) -> String {
    match text.char_indices().nth_back(LONGEST_TEXT) {
        Some((at, _)) => text[at..].to_owned(),
        None => text.to_owned(),
    }
}

/// The server goes down, starts up, or has no room for another connection.
fn is_shutdown(sqlstate: Option<&str>) -> bool {
    sqlstate
        .is_some_and(|code| code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "53300"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ä".repeat(LONGEST_TEXT + 1);
        assert!(beginning(&long).starts_with("ää") && beginning(&long).contains("4002 bytes"));
        assert_eq!(end(&format!("x{long}")).chars().count(), LONGEST_TEXT + 1);
        assert_eq!((beginning("short"), end("short")), ("short".to_owned(), "short".to_owned()));
    }
}
