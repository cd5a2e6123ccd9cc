//! The verbs that the tests are written in: provision, wait for, roll back, look at the catalog.
//!
//! Invariant: whatever a test starts or makes is gone when the test process is, however that ends.
//! Waiting is always for a condition with a deadline, never for a length of time.

#![allow(
    missing_debug_implementations,
    clippy::new_without_default,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, a proof prints its figures, and nobody prints a session"
)]

pub mod bars;
pub mod binaries;
pub mod blueprint;
pub mod catalog;
pub mod cli;
pub mod cluster;
pub mod console;
pub mod daemon;
pub mod drift;
pub mod environment;
pub mod isolation;
pub mod reaper;
pub mod release;
pub mod rpc;
pub mod scratch;
pub mod small_disk;
pub mod torture;
pub mod trail;
pub mod wait;

pub use blueprint::Folder;
pub use cli::Output;
pub use cluster::{Cluster, Version};
pub use environment::{Env, Provisioned};
pub use wait::eventually;
