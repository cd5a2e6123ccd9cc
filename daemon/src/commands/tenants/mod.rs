//! Tenants: created, changed, shown, verified, and removed.

pub(super) mod archive;
pub(super) mod change;
pub(super) mod drift;
pub(super) mod list;
pub(super) mod plan;
pub(super) mod provision;
pub(super) mod purge;
pub(super) mod resolve;
pub(super) mod retire;
pub(super) mod rollback;
pub(super) mod rollback_preview;
pub(super) mod show;
pub(super) mod suspend;
pub(super) mod update;
pub(super) mod upgrade;
pub(super) mod verify;
