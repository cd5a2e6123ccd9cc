//! `tenantryd-with-faults`: the daemon that tests break, built with the points of [`tenantryd`]'s feature `faults`.
//!
//! This is a program of its own, so that building it never replaces the one that is shipped.

#[path = "main.rs"]
mod daemon;

fn main() -> std::process::ExitCode {
    daemon::main()
}
