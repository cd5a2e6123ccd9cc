//! The Tenantry daemon as a library: `main` parses and calls it, and tests start the same code.

pub mod ambient;
pub mod audit;
pub mod cli;
pub mod commands;
pub mod config;
pub mod embedded;
mod fault;
mod file_lock;
pub mod isolation;
mod leader;
pub mod logging;
pub mod model;
pub mod pipeline;
pub mod postgres;
mod private_path;
pub mod server;
mod start;

pub use commands::Reloaded;
pub use start::{CheckReport, Server, StartError, check};
