//! The audit trail, proven from outside: `make audit-proof`. The trail is tampered with in every way, cut off at any
//! moment, and read, exported and verified at length. Prints a line for each bar.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod crashes;
mod ends;
mod reading;
mod tampering;
mod throughput;
mod verifier;
mod verifying;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tenantry_harness::bars::{self, Bar};

/// The least throughput, as a fraction of the rate without a trail.
const LEAST_THROUGHPUT: f64 = 0.95;
/// Events per second.
const LEAST_RATE: f64 = 500_000.0;

#[derive(Debug, Parser)]
#[command(
    about = "Tampers with audit trails, cuts them off, reads them at length, and prints what came of it"
)]
struct Arguments {
    /// Run only these parts
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Events to read, verify and export
    #[arg(long, default_value_t = 1_000_000)]
    events: i64,
    /// Events of the trail that is tampered with at every place
    #[arg(long, default_value_t = 10_000)]
    tampered: i64,
    /// Places in the database for each class
    #[arg(long, default_value_t = 200)]
    places: usize,
    /// Runs with a crash
    #[arg(long, default_value_t = 500)]
    runs: u64,
    /// Rounds of the throughput measurement with and without a trail
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Verifier,
    Database,
    Ends,
    Crashes,
    Reading,
    Verifying,
    Throughput,
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
    println!("seed {}", arguments.seed);
    if has(Part::Throughput) {
        let part = throughput::with_and_without(arguments.rounds).await;
        bars.push(Bar::at_least("throughput_with_the_trail", part, LEAST_THROUGHPUT));
    }
    if has(Part::Verifier) {
        bars.push(Bar::at_least("verifier_events_per_s", verifier::rate().round(), LEAST_RATE));
        let (missed, places) = verifier::tamper_everywhere(Some(arguments.tampered));
        println!("{places} tamperings of a trail of {} events", arguments.tampered);
        bars.push(Bar::at_most("tamperings_not_named_by_the_verifier", missed as f64, 0.0));
    }
    if has(Part::Database) {
        let (missed, done) = tampering::in_the_database(arguments.places, arguments.seed).await;
        println!("{done} tamperings in the database");
        bars.push(Bar::at_most("tamperings_not_named_in_the_database", missed as f64, 0.0));
    }
    if has(Part::Ends) {
        bars.extend(ends::everywhere().await);
    }
    if has(Part::Crashes) {
        let alarms = crashes::false_alarms(arguments.runs, arguments.seed).await;
        bars.push(Bar::at_most("false_alarms", alarms as f64, 0.0));
    }
    if has(Part::Verifying) {
        bars.extend(verifying::at_length(arguments.events).await);
    }
    if has(Part::Reading) {
        bars.extend(reading::bars(arguments.events).await);
    }
    bars::print(&bars)
}
