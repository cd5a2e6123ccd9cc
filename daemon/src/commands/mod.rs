//! What the daemon can be asked for, one file per RPC: authorise, parse, call one use case, answer.
//!
//! Invariants: every command authorises first, with the role that the policy gives the caller now; a mutation runs in a
//! task that no caller can cancel; an error is logged once, here, and leaves as a sentence.

mod access;
mod app;
mod archive;
mod audit;
mod audit_export;
mod audit_filter;
mod audit_key;
mod audit_retention;
mod audit_verify;
mod blueprint_add;
mod blueprint_check;
mod blueprints;
mod caller;
mod cancel;
mod catalog;
mod change;
mod errors;
mod health;
mod hello;
mod idempotency;
mod operation;
mod operations;
mod plan;
mod provision;
mod purge;
mod resolve;
mod retire;
mod retry;
mod rollback;
mod rollback_preview;
mod secrets;
mod suspend;
mod targets;
mod tenant;
mod tenants;
mod turns;
mod update_tenant;
mod verify_isolation;
mod watch;

pub use app::{App, AppOptions};
pub use audit::audit;
pub use audit_export::{audit_export, audit_export_read};
pub use audit_key::{audit_acknowledge, audit_key, audit_rotate_key};
pub use audit_retention::{audit_hold, audit_prune, audit_redact, audit_release, audit_segments};
pub use audit_verify::{audit_verification, audit_verify, verify_trail_in_turn};
pub use blueprint_add::blueprint_add;
pub use blueprint_check::blueprint_check;
pub use blueprints::blueprints;
pub use caller::Caller;
pub use cancel::cancel;
pub use health::health;
pub use hello::hello;
pub use operation::operation;
pub use operations::operations;
pub use plan::plan;
pub use provision::provision;
pub use purge::purge_when_due;
#[cfg(any(test, fuzzing))]
pub use resolve::invariants as request_invariants;
pub use retire::retire;
pub use retry::retry;
pub use rollback::rollback;
pub use rollback_preview::rollback_preview;
pub use secrets::{finish_rotation, issue_credentials, rotate_credentials};
pub use suspend::{resume, suspend};
pub use targets::targets;
pub use tenant::tenant;
pub use tenants::tenants;
pub use update_tenant::update_tenant;
pub use verify_isolation::{verify_in_turn, verify_isolation};
pub use watch::watch;
