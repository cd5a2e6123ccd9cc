//! How connections are kept, and waited for, and how a statement runs on one.

pub(in crate::postgres) mod execute;
pub(in crate::postgres) mod kept;
pub(in crate::postgres) mod queue;

/// What is on record survives a crash of the server, whatever its administrator set for it, the role or the database:
/// recovery relies on each word of it. As a start-up parameter, so that a migration's RESET ALL brings it back.
pub(in crate::postgres) const DURABLE: (&str, &str) = ("synchronous_commit", "on");
