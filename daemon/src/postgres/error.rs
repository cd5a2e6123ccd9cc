//! The only error type of this layer, and what PostgreSQL reported.

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
    /// Another daemon took a later epoch, and this one must not write any more.
    #[error("another daemon has taken over the control database")]
    Fenced,
    /// No sign of life succeeded for as long as one is valid. Until one does, another daemon may take over.
    #[error("the control database was out of reach for longer than this daemon's lease")]
    LeaseLapsed,
    /// An operation on this tenant is already running.
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
    /// The marker of this operation exists: its build was committed, or it was declared void.
    #[error("the operation's marker exists already")]
    MarkerExists,
    /// Another build has made the pool meanwhile.
    #[error("the pool exists already")]
    PoolExists,
    /// The pool was brought to another version meanwhile.
    #[error("the shared tables were brought to another version meanwhile")]
    PoolMoved,
    /// The audit trail is not what this daemon wrote, so nothing is changed on top of it.
    #[error("{0}")]
    Distrusted(String),
    /// The audit trail's anchor file cannot be written, and nothing is changed until it can.
    #[error("the audit trail's anchor cannot be written, and without it nothing is changed: {0}")]
    Unanchored(String),
    /// Stored data cannot be read back.
    #[error("{what} in the control database is not readable: {why}")]
    Corrupt { what: &'static str, why: String },
    /// A privilege or a state that the work needs is missing. The sentence says which one, and what to do.
    #[error("{0}")]
    Refused(String),
    /// Something that was told to end is still there, but it may still end. The sentence says what it is.
    #[error("{0}")]
    Lingering(String),
    /// The target has no record of a build that the registry has as committed.
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

/// How many characters of a server's text are kept. A migration can raise an error of any length, and its text goes into the
/// registry, into every list and to every watcher.
const LONGEST_TEXT: usize = 2_000;

/// The server's own report of an error, with each part cut to a limited length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    /// This value decides nothing by itself; see [`ServerError::is`].
    pub sqlstate: String,
    /// Who chose the SQLSTATE.
    pub origin: Origin,
    /// On one line, because a migration can raise an error with any text.
    pub message: String,
    /// Character position of a syntax error in the statement itself, from 1.
    pub position: Option<usize>,
    /// Character position of a syntax error in the statement that a function executed, from 1.
    pub inner_position: Option<usize>,
    /// The statement that `inner_position` is in.
    pub inner_query: Option<String>,
    /// The call stack in the server. It names the statement that a function executed.
    pub context: Option<String>,
}

/// Who gave an error its SQLSTATE, its constraint name, and its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The server, about something that it found.
    Server,
    /// A statement or a function, which can report anything.
    Raised,
}

/// Source files in which the server passes on errors that were raised by code in a procedural language.
const OF_LANGUAGES: [&str; 6] =
    ["pl_exec.c", "pltcl.c", "plperl.c", "plpy_elog.c", "plpy_plpymodule.c", "plv8.cc"];
/// Routines in which the server passes on the errors of another server.
const OF_SERVERS: [&str; 2] = ["dblink_res_error", "pgfdw_report_error"];

impl ServerError {
    /// Whether the server itself reported this SQLSTATE. Every decision that depends on an SQLSTATE uses this. A migration
    /// that raises its own error with that code counts as failed, and nothing else follows from it.
    pub fn is(&self, sqlstate: &str) -> bool {
        self.origin == Origin::Server && self.sqlstate == sqlstate
    }

    /// The same for all codes with this prefix.
    fn is_of_class(&self, class: &str) -> bool {
        self.origin == Origin::Server && self.sqlstate.starts_with(class)
    }

    /// Two transactions changed the same row of the catalog, and this one came second.
    pub fn is_concurrent_update(&self) -> bool {
        self.is("XX000") && self.message.starts_with("tuple concurrently ")
    }

    /// The same for any of several codes.
    pub fn is_any(&self, sqlstates: &[&str]) -> bool {
        sqlstates.iter().any(|sqlstate| self.is(sqlstate))
    }
}

/// The origin of an error. If something on the way omits the place in the source, the error counts as the server's.
pub fn origin(error: &PgDatabaseError) -> Origin {
    // A build outside the source tree reports the whole path.
    let file = error.file().and_then(|file| file.rsplit('/').next());
    let is_raised = file.is_some_and(|file| OF_LANGUAGES.contains(&file))
        || error.routine().is_some_and(|routine| OF_SERVERS.contains(&routine));
    if is_raised { Origin::Raised } else { Origin::Server }
}

/// For `map_err`: names the action that failed.
pub fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |source| Error::from_sqlx(doing, source)
}

/// For `map_err` after a tenant's own statement. Its constraints and codes are its own, whatever their names are.
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

    /// What the server reported, if the error is from the server.
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

    /// A lost connection, a lock that was not free, a race between two transactions, or a full disk. A later attempt can
    /// succeed.
    pub fn is_passing(&self) -> bool {
        let passing = |server: &ServerError| {
            server.is_any(&["40001", "40P01", "55P03", "55006", "25006", "53100"])
                || server.is_concurrent_update()
        };
        self.is_unreachable()
            || matches!(self, Self::LeaseLapsed | Self::Unanchored(_) | Self::PoolMoved)
            || self.server().as_ref().is_some_and(passing)
    }

    /// Another attempt fails in the same way until somebody changes something: the work cannot begin from this
    /// state, or a right is missing.
    pub fn is_for_good(&self) -> bool {
        const NO_PRIVILEGE: &str = "42501";
        match self {
            Self::Refused(_) | Self::Unmarked { .. } | Self::Fenced | Self::Corrupt { .. } => true,
            Self::Query { .. } => self.server().is_some_and(|server| server.is(NO_PRIVILEGE)),
            _ => false,
        }
    }

    /// The server refuses the daemon's login. A password is changed in two places, one after the other, so this error is
    /// temporary. Work that was begun then continues by itself.
    pub fn is_locked_out(&self) -> bool {
        const NO_AUTHORIZATION: &str = "28";
        self.server().is_some_and(|server| server.is_of_class(NO_AUTHORIZATION))
    }

    /// One readable line with the whole chain of causes. It contains the server's message rather than the driver's.
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

/// The server's message. If it only says that something depends on an object, the details are added.
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

/// The end of a text, because the outermost call comes last in the server's list of calls.
fn end(text: &str) -> String {
    match text.char_indices().nth_back(LONGEST_TEXT) {
        Some((at, _)) => text[at..].to_owned(),
        None => text.to_owned(),
    }
}

/// The server is shutting down, is starting up, or has no room for another connection.
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
