//! The Tenantry daemon as a library: `main` parses and calls it, tests start the same thing.

pub mod cli;
pub mod config;
pub mod embedded;
pub mod model;
