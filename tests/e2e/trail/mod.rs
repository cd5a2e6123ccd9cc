//! The audit trail: what is recorded, found, exported, kept, and noticed when it was changed.

mod browse;
mod commands;
mod events;
pub(crate) mod export;
mod records;
mod retention;
mod tampering;
