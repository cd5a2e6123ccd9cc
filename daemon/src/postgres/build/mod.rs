//! Builds a tenant in one transaction: the runner of its files, and what runs outside of the transaction.

pub mod as_tenant;
mod blank;
mod bounds;
mod bundle;
pub mod detachment;
pub mod file_error;
pub mod opening;
pub mod outside_journal;
mod owner_call;
pub mod owner_login;
pub mod relations;
pub mod runner;

pub mod standoff;
mod temporary;
