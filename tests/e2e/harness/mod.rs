//! The verbs that the tests are written in: provision, wait for, roll back, look at the catalog.
//!
//! Invariant: whatever a test starts or makes is gone when the test process is, however that ends.
//! Waiting is always for a condition with a deadline, never for a length of time.

#[allow(dead_code, reason = "`make torture` uses all of it")]
pub(crate) mod arena;
pub(crate) mod binaries;
pub(crate) mod blueprint;
pub(crate) mod catalog;
pub(crate) mod cli;
pub(crate) mod cluster;
pub(crate) mod console;
pub(crate) mod daemon;
pub(crate) mod environment;
#[allow(dead_code, reason = "`make torture` uses all of it")]
pub(crate) mod faults;
#[allow(dead_code, reason = "`make torture` uses all of it")]
pub(crate) mod guests;
pub(crate) mod oracle;
pub(crate) mod proxy;
pub(crate) mod reaper;
#[allow(dead_code, reason = "`make torture` uses all of it")]
pub(crate) mod registry;
#[allow(dead_code, reason = "`make torture` uses all of it")]
pub(crate) mod request;
pub(crate) mod rpc;
pub(crate) mod scratch;
pub(crate) mod small_disk;
pub(crate) mod wait;

pub(crate) use blueprint::Folder;
pub(crate) use cli::Output;
pub(crate) use cluster::{Cluster, Version};
pub(crate) use environment::{Env, Provisioned};
pub(crate) use wait::eventually;
