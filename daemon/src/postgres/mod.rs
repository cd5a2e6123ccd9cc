//! All SQL but the probes': the control database, the targets, and what is built and dropped on them.
//!
//! Invariant: values reach SQL as parameters or through [`quote`], never by formatting. Errors leave here as
//! [`Error`], with the constraint that was violated turned into a variant.

pub mod archives;
pub mod audit_append;
mod audit_copy;
pub mod audit_pages;
pub mod audit_read;
pub mod audit_redaction;
pub mod audit_rows;
pub mod audit_search;
pub mod audit_segments;
pub mod audit_wanted;
mod belongings;
pub mod blueprints;
pub mod bookkeeping;
mod build_bounds;
pub mod canary;
pub mod canary_database;
pub mod commitment;
pub mod control;
pub mod credentials;
pub mod database_template;
pub mod databases;
pub mod dump;
pub mod dump_role;
pub mod error;
mod execute;
mod gifts;
mod kept;
pub mod lease;
pub mod lint_rows;
pub mod lookout;
pub mod operations;
pub mod outside_journal;
pub mod owner_login;
pub mod pool_ddl;
mod pool_rules;
pub mod pools;
pub mod programs;
mod queue;
pub mod quote;
pub mod removal;
pub mod removal_preview;
pub mod reports;
mod role_holders;
pub mod runner;
pub mod schema;
pub mod secret;
pub mod sessions;
pub mod shared_names;
pub mod shared_rows;
pub mod site;
pub mod target;
pub mod target_check;
pub mod target_doors;
mod target_trust;
pub mod targets;
pub mod tenant_ddl;
pub mod tenants;

pub use error::{Error, Result};
