//! A tenant from its beginning to its end: made, changed, archived, removed.

mod archives;
mod drift;
mod failures;
mod lifecycle;
mod lock_budget;
mod prepared;
mod projects;
mod provisioning;
mod removal;
mod rollback_preview;
mod secrets;
mod temporary_files;
pub(crate) mod upgrades;
