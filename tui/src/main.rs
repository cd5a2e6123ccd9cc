//! `tenantry`: the console and the command line of the product. Without arguments on a terminal, it opens the console.
//!
//! Invariant: both use the same client and the same calls. `ui` and `cli` reach the daemon only through `client`.

mod behind;
mod cli;
mod client;
mod filter;
mod format;
mod logging;
mod text;
mod trail;
mod ui;

use std::process::ExitCode;

/// The exit status of an end that nobody foresaw.
const INTERNAL: u8 = 70;

fn main() -> ExitCode {
    // Without it, panics are merely harder to read.
    let _ = color_eyre::install();
    // Kept until the end: dropping it writes what is still in memory.
    let _log = logging::start();
    // One thread is enough: the program mostly waits, and a command has to start quickly.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::no_runtime(&error),
    };
    let words = std::env::args_os().collect();
    // A task of its own, so that a panic becomes an exit status like any other.
    let status = runtime.block_on(async { tokio::spawn(cli::run(words)).await });
    // A thread that waits for a key must not keep the process alive.
    runtime.shutdown_background();
    status.unwrap_or_else(|_| ExitCode::from(INTERNAL))
}
