//! End-to-end tests: the real binaries against real PostgreSQL, in one process, so that tests can share a cluster.
//!
//! Each module is one subject; each test reads as a sentence and shows one behaviour. Nothing here reaches into the
//! daemon's or the client's code: all that a test knows comes from the socket, the command line or the catalog.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking"
)]

mod attacks;
mod blueprints;
mod breakage;
mod console;
mod interface;
mod repository;
mod service;
mod tenants;
mod trail;
