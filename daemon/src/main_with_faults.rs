//! `tenantryd-with-faults`: the daemon as tests break it, with the points of [`tenantryd`]'s feature `faults` in it.
//!
//! A program of its own, so that building it never replaces the one that is shipped.

#[path = "main.rs"]
mod daemon;

fn main() -> std::process::ExitCode {
    daemon::main()
}
