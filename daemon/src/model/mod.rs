//! The daemon's pure part: what things are and how they change.
//!
//! Invariant: no I/O, no clock, no async and no SQL is run here; the same input always gives the same result.

pub mod audit_chain;
pub mod audit_lines;
pub mod audit_reading;
pub mod blueprint;
pub mod blueprint_draft;
pub mod fingerprint;
pub mod operation;
#[cfg(test)]
mod operation_histories;
pub mod plan_hash;
pub mod rehearsal;
pub mod step;
pub mod stored;
pub mod tenant;
pub mod upgrade;
