//! The requests that the daemon answers, one file per RPC: parse, call one use case, answer.
//!
//! Invariants: before anything was read, the server has authorised the caller of a command with the role that the policy
//! gives it now. A mutation runs in a task that no caller can cancel. An error is logged once, here, and is returned as a
//! sentence.

mod app;
mod audit;
mod blueprints;
mod credentials;
mod errors;
mod idempotency;
mod operations;
mod paging;
mod session;
mod settings;
mod targets;
mod tenants;
mod upgrades;

pub use app::{App, AppOptions};
pub use audit::export::{audit_export, audit_export_read};
pub use audit::key::{audit_acknowledge, audit_key, audit_rotate_key};
pub use audit::page::audit;
pub use audit::redact::audit_redact;
pub use audit::retention::{audit_hold, audit_prune, audit_release, audit_segments};
pub use audit::verify::{audit_verification, audit_verify, verify_trail_in_turn};
pub use blueprints::add::blueprint_add;
pub use blueprints::check::blueprint_check;
pub use blueprints::draft::blueprint_draft;
pub use blueprints::list::blueprints;
pub use blueprints::try_on::blueprint_try;
pub use credentials::secrets::{finish_rotation, issue_credentials, rotate_credentials};
pub use operations::cancel::cancel;
pub use operations::list::operations;
pub use operations::retry::retry;
pub use operations::show::operation;
pub use session::caller::Caller;
pub use session::health::health;
pub use session::hello::hello;
pub use session::watch::watch;
pub use settings::{Reloaded, Settings};
pub use targets::targets;
pub use tenants::drift::drift;
pub use tenants::list::tenants;
pub use tenants::plan::plan;
pub use tenants::provision::provision;
pub use tenants::purge::purge_when_due;
#[cfg(any(test, fuzzing))]
pub use tenants::resolve::invariants as request_invariants;
pub use tenants::retire::retire;
pub use tenants::rollback::rollback;
pub use tenants::rollback_preview::rollback_preview;
pub use tenants::show::tenant;
pub use tenants::suspend::{resume, suspend};
pub use tenants::update::update_tenant;
pub use tenants::upgrade::upgrade_tenant;
pub use tenants::verify::{verify_in_turn, verify_isolation};
pub use upgrades::control::{upgrade_cancel, upgrade_pause, upgrade_resume, upgrade_retry};
pub use upgrades::list::{upgrade_status, upgrade_units, upgrades};
pub use upgrades::plan::upgrade_plan;
pub use upgrades::rehearse::{sweep_rehearsals, upgrade_rehearse};
pub use upgrades::round::carry_on_upgrades;
pub use upgrades::start::{downgrade, upgrade};
