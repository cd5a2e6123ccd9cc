//! All SQL except that of the probes: for the control database, the targets, and what is built and dropped on them.
//!
//! Invariant: values reach SQL as parameters or through [`quote`], never by formatting. Errors leave this module as [`Error`],
//! which has variants for violated constraints.

pub mod archive;
pub mod audit;
pub mod build;
pub mod canary;
mod connections;
pub mod control;
pub mod credentials;
pub mod dependencies;
pub mod error;
pub mod fingerprint;
pub mod lint_rows;
pub mod pool_ddl;
pub mod preparation;
pub mod quote;
pub mod removal;
pub mod schema;
pub mod secret;
pub mod target;
pub mod tenancy;
pub mod tenant_ddl;

pub use error::{Error, Result};
