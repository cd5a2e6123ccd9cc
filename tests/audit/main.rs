//! The audit trail, proven from outside: `make audit-proof`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod generate;
#[allow(dead_code, unused_imports, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/harness/mod.rs"]
mod harness;
mod reading;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "Reads, exports and breaks long audit trails, and prints what came of it")]
struct Arguments {
    /// Events to read and to export, in place of 1,000,000
    #[arg(long)]
    events: Option<i64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let is_met = runtime.block_on(reading::bars(arguments.events));
    runtime.shutdown_background();
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
