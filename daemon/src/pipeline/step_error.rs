//! How a step can fail, and what the operator is told about it.

use tenantry_protocol::brief::{self, LONGEST_ACCOUNT};
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::operation::Failure;

use crate::model::operation::Step;
use crate::model::upgrade::Obstacle;
use crate::postgres::build::owner_login::Blocker;
use crate::postgres::{self, error::ServerError};

use super::warden::Crossed;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// A statement of a migration or seed file was refused. Lines and statements count from 1.
    #[error("{}", server.message)]
    Migration { file: String, line: Option<u32>, statement: Option<u32>, server: Box<ServerError> },
    /// A file that runs as each tenant of shared tables failed as this one.
    #[error("as {tenant}: {error}")]
    OfTenant { tenant: String, error: Box<StepError> },
    /// A file tried to reach beyond its bounds, or left an object that would have.
    #[error("{problem}")]
    Unsafe { file: String, problem: String },
    /// The file's locks exceeded the number available to the build.
    #[error("{crossed}")]
    Locks { file: String, crossed: Crossed },
    /// The shared tables would not keep tenants apart.
    #[error("the shared tables do not keep tenants apart: {}", .0.join("; "))]
    Uncovered(Vec<String>),
    /// An attack succeeded, failed for the wrong reason, or changed the victim.
    #[error("the isolation does not hold")]
    Isolation(Box<IsolationReport>),
    #[error(transparent)]
    Database(#[from] postgres::Error),
    #[error("something of the tenant is left: {}", .0.join(", "))]
    Leftovers(Vec<String>),
    /// A statement outside the transaction waited, or ran, until the operation's time was over.
    #[error("the statement did not end in the operation's time{}", waited(waited_for.as_ref()))]
    OutOfTime { file: String, line: u32, waited_for: Option<Blocker> },
    /// The operation's time was over before the batches of a statement came to an end.
    #[error("the operation's time is over at batch {tally}: they are committed, and more are left")]
    BatchesLeft { file: String, line: u32, tally: Tally },
    /// A statement ran as often in batches as it may, and changed rows each time.
    #[error("the statement still changes rows at batch {tally}: it seems to find again what it changed")]
    Endless { file: String, line: u32, tally: Tally },
    /// A later batch of a statement was refused.
    #[error("{}; what is committed before it: batch {tally}", server.message)]
    BatchRefused {
        file: String,
        line: Option<u32>,
        statement: Option<u32>,
        server: Box<ServerError>,
        tally: Tally,
    },
    /// Sessions of the tenant waited for a batch, and it made way.
    #[error("the tenant's sessions waited for one of its batches: a smaller LIMIT lets them through")]
    HeldUp { file: String, line: u32 },
    /// What the tenant has does not lead to the version.
    #[error("the new version does not follow from the files that the tenant has: {}", listed(.0))]
    Obstacles(Vec<Obstacle>),
    /// The files would give something of the tenant's away, or make it depend on others.
    #[error("the version does not keep the tenant apart: {}", .0.join("; "))]
    Opens(Vec<String>),
    /// A file waited for a lock as long as it may.
    #[error("a lock was not granted in time{}", waited(blocker.as_ref()))]
    LockedOut { file: String, blocker: Option<Blocker> },
    /// Sessions of the tenant waited for the attempt, and it made way.
    #[error("the tenant's sessions waited for it")]
    InTheWay { file: String },
    /// The undo of an upgrade that was committed before, whose answer was lost.
    #[error("everything was committed")]
    FoundDone,
    /// A part of the files is committed, and the others are not.
    #[error("a part is applied; what is left: {}", .left.join(", "))]
    Partly { left: Vec<String> },
    #[error("the operation's time budget of {budget_ms} ms is used up")]
    Budget { budget_ms: u64 },
    #[error("cancelled by {by}")]
    Cancelled { by: String },
    /// The daemon that made the secret is gone, or lost the operation, and nobody else knows the secret.
    #[error("interrupted: the secret was never returned; ask again with `{command}`")]
    SecretLost { command: String },
    /// A bug in the order of the steps, handled like any failure.
    #[error("the step ran without {lacks}")]
    OutOfOrder { lacks: &'static str },
    /// A bug; the panic's text is in the log.
    #[error("the step panicked")]
    Panicked,
}

/// What the batches of a statement have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) batches: u32,
    pub(super) rows: u64,
}

impl Tally {
    pub(super) fn add(&mut self, rows: u64) {
        self.batches += 1;
        self.rows = self.rows.saturating_add(rows);
    }
}

/// `12, 12,000 rows`
impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} rows", grouped(self.batches.into()), grouped(self.rows))
    }
}

/// With a comma before each group of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.char_indices().flat_map(|(at, c)| comma(at).then_some(',').into_iter().chain([c])).collect()
}

#[cfg(feature = "faults")]
impl From<crate::fault::Broken> for StepError {
    fn from(broken: crate::fault::Broken) -> Self {
        Self::Database(broken.into())
    }
}

/// SQLSTATE of a lock that somebody else holds.
pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a retry can do about an error of an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The error is temporary: the server is unreachable, or a lock is not free.
    Passing,
    /// Unknown; a few attempts will tell.
    Open,
    /// The error recurs at each attempt, until a person changes something.
    ForGood,
}

impl StepError {
    /// What happens to the error when the work is tried again.
    pub(super) fn outlook(&self) -> Outlook {
        match self {
            error if error.is_passing() => Outlook::Passing,
            Self::OfTenant { error, .. } => error.outlook(),
            Self::Database(error) if error.is_locked_out() => Outlook::Passing,
            Self::Database(error) if error.is_for_good() => Outlook::ForGood,
            Self::OutOfOrder { .. } | Self::Obstacles(_) | Self::Partly { .. } => Outlook::ForGood,
            _ => Outlook::Open,
        }
    }

    /// Whether the error can disappear when the step is repeated.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => error.is_passing(),
            // Two builds conflicted; the file is not at fault.
            Self::Migration { server, .. } => server.is_any(&["40001", "40P01", "55P03"]),
            Self::OfTenant { error, .. } => error.is_passing(),
            Self::Locks { crossed, .. } => crossed.is_passing(),
            Self::LockedOut { .. } | Self::InTheWay { .. } | Self::HeldUp { .. } => true,
            _ => false,
        }
    }

    /// The number of locks that a build held when there was no room for them.
    pub(super) fn crowded(&self) -> Option<u32> {
        match self {
            Self::Locks { crossed, .. } if crossed.is_passing() => Some(crossed.held),
            _ => None,
        }
    }

    /// The server is unreachable, or this daemon's lease on the control database has lapsed.
    pub(super) fn is_unreachable(&self) -> bool {
        match self {
            Self::Database(error) => {
                matches!(error, postgres::Error::Unreachable { .. } | postgres::Error::LeaseLapsed)
            }
            Self::OfTenant { error, .. } => error.is_unreachable(),
            _ => false,
        }
    }

    /// The operator's account of it.
    pub(super) fn failure(&self, step: Step) -> Failure {
        let again = if step == Step::Upgrade { "upgrade" } else { "provision" };
        let base = Failure { step: step.name().to_owned(), message: self.account(), ..Failure::default() };
        match self {
            Self::Migration { file, line, statement, server }
            | Self::BatchRefused { file, line, statement, server, .. } => {
                refused(base, (file, *line, *statement), server, again)
            }
            Self::OfTenant { tenant, error } => failure_of_tenant(tenant, error.failure(step)),
            Self::Unsafe { file, .. } => {
                let hint =
                    "a migration may do only what the tenant's owner role may do, inside the one transaction";
                Failure { file: Some(file.clone()), hint: Some(hint.into()), ..base }
            }
            Self::Locks { file, crossed } => crossed.failure(file, base),
            Self::Uncovered(_) => Failure {
                hint: Some(format!("fix the blueprint, raise its version, add it, and {again} again")),
                ..base
            },
            Self::OutOfTime { file, line, .. } => Failure {
                file: Some(file.clone()),
                line: Some(*line),
                hint: Some(format!(
                    "end the transaction that it waited for, or give operations more time (operation_budget_ms), and \
                     {again} again"
                )),
                ..base
            },
            Self::Isolation(report) => Failure {
                message: format!("{self}: {}", report.account()),
                hint: Some(if report.findings.is_empty() {
                    "run `tenantry target check`, close what it names, and provision again".into()
                } else {
                    "make a new version of the blueprint that does not do this, and provision again".into()
                }),
                ..base
            },
            Self::Database(error) => {
                let server = error.server();
                // The SQLSTATE has a field of its own.
                let message = server
                    .as_ref()
                    .map_or_else(|| error.explain(), |server| format!("{error}: {}", server.message));
                let check =
                    || error.is_unreachable().then(|| "check the target with `tenantry target check`".into());
                let hint = server.as_ref().and_then(no_room).or_else(check);
                Failure { message, sqlstate: server.map(|server| server.sqlstate), hint, ..base }
            }
            Self::Panicked | Self::OutOfOrder { .. } => {
                Failure { hint: Some("see the daemon's log, and report it".into()), ..base }
            }
            Self::Budget { .. } => {
                let hint = "look at the target with `tenantry target check`, or give operations more time \
                            (operation_budget_ms)";
                Failure { hint: Some(hint.into()), ..base }
            }
            Self::BatchesLeft { file, line, .. }
            | Self::Endless { file, line, .. }
            | Self::HeldUp { file, line } => self.failure_of_batches(base, (file, *line), again),
            Self::Obstacles(_)
            | Self::Opens(_)
            | Self::LockedOut { .. }
            | Self::InTheWay { .. }
            | Self::Partly { .. } => self.failure_of_upgrade(base),
            Self::Leftovers(_) | Self::Cancelled { .. } | Self::SecretLost { .. } | Self::FoundDone => base,
        }
    }
}

impl StepError {
    /// The account of what only an upgrade meets.
    fn failure_of_upgrade(&self, base: Failure) -> Failure {
        let (file, hint) = match self {
            Self::LockedOut { file, .. } | Self::InTheWay { file } => (
                Some(file.clone()),
                "end the transaction that holds the table, or upgrade the tenant at a quieter time",
            ),
            Self::Partly { .. } => (None, "upgrade the tenant again: it goes on from there"),
            _ => (None, "correct the blueprint, raise its version, add it, and upgrade again"),
        };
        let is_lock = matches!(self, Self::LockedOut { .. } | Self::InTheWay { .. });
        let sqlstate = if is_lock { Some(LOCK_NOT_AVAILABLE.to_owned()) } else { base.sqlstate.clone() };
        Failure { file, sqlstate, hint: Some(hint.to_owned()), ..base }
    }

    /// The account of batches that did not come to an end.
    fn failure_of_batches(&self, base: Failure, (file, line): (&str, u32), again: &str) -> Failure {
        let hint = match self {
            Self::Endless { .. } => format!(
                "let the statement leave out what it has changed, or raise at-most; then raise the blueprint's version, add it, and \
                 {again} again"
            ),
            Self::HeldUp { .. } => {
                format!(
                    "lower the LIMIT of the statement, raise the blueprint's version, and add it; or {again} at a quieter time"
                )
            }
            _ => format!(
                "{again} again, and it goes on from there; or give operations more time (operation_budget_ms)"
            ),
        };
        Failure { file: Some(file.to_owned()), line: Some(line), hint: Some(hint), ..base }
    }

    /// The list in the message can be long: problems of a pool, or leftovers.
    fn account(&self) -> String {
        brief::cut(&self.to_string(), LONGEST_ACCOUNT)
    }
}

/// The account of a statement that the server refused.
fn refused(
    base: Failure,
    (file, line, statement): (&str, Option<u32>, Option<u32>),
    server: &ServerError,
    again: &str,
) -> Failure {
    let hint = no_room(server)
        .unwrap_or_else(|| format!("fix {file}, raise the blueprint's version, add it, and {again} again"));
    let (file, sqlstate) = (Some(file.to_owned()), Some(server.sqlstate.clone()));
    Failure { file, line, statement, sqlstate, hint: Some(hint), ..base }
}

/// The account of a file's failure, with the tenant as whom the file ran.
fn failure_of_tenant(tenant: &str, of_file: Failure) -> Failure {
    let message = brief::cut(&format!("as {tenant}: {}", of_file.message), LONGEST_ACCOUNT);
    Failure { message, ..of_file }
}

/// What to do if the server had no room.
fn no_room(server: &ServerError) -> Option<String> {
    const DISK_FULL: &str = "53100";
    server.is(DISK_FULL).then(|| "the server's disk is full: make room on it, and try again".to_owned())
}

fn listed(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn waited(blocker: Option<&Blocker>) -> String {
    blocker.map_or_else(String::new, |blocker| format!(": it waited for {blocker}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_batches_changed_is_told_with_grouped_digits() {
        let mut tally = Tally::default();
        for rows in [999, 1, 1_000_000] {
            tally.add(rows);
        }
        assert_eq!(tally.to_string(), "3, 1,001,000 rows");
        assert_eq!(Tally { batches: 12_345, rows: 7 }.to_string(), "12,345, 7 rows");
    }
}
