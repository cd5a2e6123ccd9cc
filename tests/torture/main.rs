//! Breaks operations at every point and in every way there is, and judges what is left: `make torture [RUNS=n SEED=s]`.
//!
//! Three parts, each with its bar: the grid of single faults, random double and triple faults, and cut COMMITs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

#[allow(dead_code, unused_imports, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/harness/mod.rs"]
mod harness;

use harness::arena::{Arena, Trial};
use harness::faults::{Fault, Moment, Rule};
use harness::request::Scenario;
use harness::{Cluster, Version};

#[tokio::main]
async fn main() {
    let mut arena = Arena::open(Cluster::private(Version::Packaged)).await;
    for scenario in Scenario::ALL {
        let trial = Trial { scenario, rules: vec![], daemons: 1 };
        println!("{:#?}", arena.run(&trial).await);
    }
    let rules =
        vec![Rule::At { place: Some("verify"), moment: Some(Moment::After), skip: 0, fault: Fault::Kill }];
    println!("{:#?}", arena.run(&Trial { scenario: Scenario::Provision, rules, daemons: 1 }).await);
}
