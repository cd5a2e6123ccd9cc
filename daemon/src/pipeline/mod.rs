//! The pipeline: plan, preflight, build, verify, activate, and the way back.
//!
//! Invariants: an intent is on record before any effect; a tenant appears completely or not at all; an operation runs in
//! a task of its own, never inside a request. Only [`crate::model::operation`] decides what comes next.

mod admission;
mod arguments;
mod audit_entries;
mod backoff;
mod budget;
mod context;
mod drift;
mod driver;
pub mod engine;
pub mod events;
mod job;
pub mod plan;
mod plan_sql;
pub mod preflight;
mod questions;
mod record;
mod recovery;
mod rehearsal;
mod step_error;
mod steps;
mod tracker;
mod trial_build;
mod warden;

pub use crate::model::audit_chain::Actor;
pub use arguments::{OperationArguments, Update};
pub use budget::EngineOptions;
pub use drift::{Compared, DriftError, DriftVerdict};
pub use engine::Engine;
pub use events::Events;
pub use job::{Asked, ChangeJob, ProvisionJob};
pub use recovery::recover;
pub use rehearsal::RehearsalError;
pub use tracker::Cancelling;
pub use trial_build::TrialBuild;
