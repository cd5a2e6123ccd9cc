//! Upgrades of many tenants, measured from outside: `make upgrade-proof`. Beside the least that PostgreSQL needs for the same
//! changes, with a blocker in the way, with a daemon that is killed, and with tenants that need nothing. Prints a line for each
//! bar.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod blocker;
mod drift;
mod fleet;
mod floor;
mod scale;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tenantry_harness::bars::{self, Bar};

use fleet::Fleet;

/// The least rate, as a fraction of the floor's.
const LEAST_RATE: f64 = 0.5;
/// Seconds for tenants that are all current.
const CURRENT_S: f64 = 1.0;
/// Seconds from the end of the lease to the next tenant.
const RESUME_S: f64 = 5.0;
const PAUSE_S: f64 = 1.0;
/// Seconds in which all tenants are compared with their version.
const DRIFT_S: f64 = 30.0;

#[derive(Debug, Parser)]
#[command(about = "Upgrades tenants beside a floor, with blockers and crashes, and prints what came of it")]
struct Arguments {
    /// Run only these parts
    #[arg(long, value_enum)]
    part: Vec<Part>,
    #[arg(long, default_value_t = 1_000)]
    tenants: usize,
    /// Fresh tenants of each tenancy that are compared with their version
    #[arg(long, default_value_t = 200)]
    fresh: usize,
    /// Tenants of the larger of two upgrades that are compared
    #[arg(long, default_value_t = 5_000)]
    most: usize,
    /// Rounds of the comparison with the floor
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Beside the floor, then with nothing to do, paused, and killed.
    Fleet,
    /// One tenant's table is held for half a minute.
    Blocker,
    /// Fresh tenants, upgraded tenants, and tenants that were changed by hand.
    Drift,
    /// Ten times as many tenants.
    Scale,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let is_met = runtime.block_on(prove(&arguments));
    runtime.shutdown_background();
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn prove(arguments: &Arguments) -> bool {
    let has = |part| arguments.part.is_empty() || arguments.part.contains(&part);
    let mut bars = Vec::new();
    if has(Part::Fleet) {
        let mut fleet = Fleet::of(arguments.tenants).await;
        bars.push(Bar::at_most("drift_of_all_s", fleet.drift().await, DRIFT_S));
        let rate = fleet.beside_the_floor(arguments.rounds).await;
        bars.push(Bar::at_least("upgrades_to_floor", rate, LEAST_RATE));
        bars.push(Bar::at_most("current_tenants_s", fleet.current().await, CURRENT_S));
        bars.push(Bar::at_most("pause_takes_effect_s", fleet.paused().await, PAUSE_S));
        let killed = fleet.killed().await;
        bars.push(Bar::at_most("resume_after_the_lease_s", killed.resumed_s, RESUME_S));
        bars.push(Bar::at_most("files_run_twice", killed.twice as f64, 0.0));
    }
    if has(Part::Blocker) {
        bars.extend(blocker::bars().await);
    }
    if has(Part::Drift) {
        bars.extend(drift::bars(arguments.fresh).await);
    }
    if has(Part::Scale) {
        bars.extend(scale::bars(arguments.most).await);
    }
    bars::print(&bars)
}
