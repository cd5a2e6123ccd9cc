//! How connections are kept and waited for, and how a statement runs on one.

pub(in crate::postgres) mod execute;
pub(in crate::postgres) mod kept;
pub(in crate::postgres) mod queue;

/// Committed data survives a crash of the server, whatever the administrator set for the server, the role or the database.
/// Recovery relies on every record. This is a start-up parameter, so that a migration's RESET ALL restores it.
pub(in crate::postgres) const DURABLE: (&str, &str) = ("synchronous_commit", "on");
