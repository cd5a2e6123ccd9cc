//! The audit trail in the control database: appending to it, reading it in every way, and removing what may be removed.

pub mod append;
mod copy;
pub mod facts;
pub mod filter;
pub mod pages;
pub mod redaction;
pub mod search;
pub mod segments;
pub mod stream;
