//! `tenantry`: the console and the command line of the product. No arguments on a terminal: the console.
//!
//! Invariant: both go through the same client and the same calls. `ui` and `cli` never reach past `client`.

mod cli;
mod client;
mod filter;
mod format;
mod logging;
mod text;
mod trail;
mod ui;

use std::process::ExitCode;

/// The status of an ending that nobody thought of.
const INTERNAL: u8 = 70;

fn main() -> ExitCode {
    // Without it panics are merely less readable.
    let _ = color_eyre::install();
    // Kept until the end: dropping it writes what is still in memory.
    let _log = logging::start();
    // One thread: the work is waiting, and a command has to be quick to start.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::no_runtime(&error),
    };
    let words = std::env::args_os().collect();
    // A task of its own, so that a panic is an exit status like any other.
    let status = runtime.block_on(async { tokio::spawn(cli::run(words)).await });
    // A thread that waits for a key must not keep the process.
    runtime.shutdown_background();
    status.unwrap_or_else(|_| ExitCode::from(INTERNAL))
}
