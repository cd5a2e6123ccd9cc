//! The audit trail: what is recorded, found, exported and kept, and how changes to it are noticed.

mod browse;
mod commands;
mod events;
pub(crate) mod export;
mod records;
mod retention;
mod tampering;
