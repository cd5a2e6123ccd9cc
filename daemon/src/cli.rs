//! The command line of `tenantryd`, and the environment it starts in.
//!
//! Invariant: nothing in a `PG*` variable ever changes what the daemon connects to or how; it runs again without
//! them. Parsing only: what the arguments mean for paths and servers is decided in [`crate::config`].

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;

use crate::config::connection::AMBIENT_VARIABLES;

/// The Tenantry daemon: provisions tenants in PostgreSQL for the clients of its Unix socket.
///
/// Without a configuration it makes and runs a private PostgreSQL cluster of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Parser)]
#[command(name = "tenantryd", version, disable_help_subcommand = true)]
pub struct Arguments {
    /// Configuration file [default: /etc/tenantry/tenantryd.toml for root, ~/.config/tenantry/tenantryd.toml
    /// for others, if it exists]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Check the configuration, connect to everything it names, report, and exit
    #[arg(long, conflicts_with_all = ["ephemeral", "announce", "exit_with_stdin"])]
    pub check: bool,

    /// Keep everything in a temporary directory and remove it at the end; no configuration file is looked for
    #[arg(long, conflicts_with = "state_dir")]
    pub ephemeral: bool,

    /// Write one line of JSON to standard output when ready: {"socket": …, "pid": …}
    #[arg(long)]
    pub announce: bool,

    /// Stop when standard input ends, as it does when the program that started the daemon is gone
    #[arg(long)]
    pub exit_with_stdin: bool,

    /// Where the private cluster and everything else that lasts is kept (instead of the configuration's state_dir)
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// The socket to listen on (instead of the configuration's socket)
    #[arg(long, value_name = "PATH", env = tenantry_protocol::endpoint::SOCKET_VARIABLE)]
    pub socket: Option<PathBuf>,
}

/// Runs the program again, in the same process, without the `PG*` variables that the driver reads and whose values
/// can't be overridden by a connection's own. Returns at once if there are none of them.
///
/// Call it before anything else in `main`. It comes back only with nothing to do, or with the error of `exec`.
pub fn shed_postgres_environment() -> io::Result<()> {
    let present = AMBIENT_VARIABLES.iter().filter(|name| std::env::var_os(name).is_some());
    let present: Vec<&str> = present.copied().collect();
    if present.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let own_name = arguments.next().unwrap_or_else(|| OsString::from("tenantryd"));
    // The link, not its target: it stays right when the file was replaced by an upgrade.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(own_name).args(arguments);
    for name in present {
        command.env_remove(name);
    }
    Err(command.exec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("tenantryd").chain(arguments.iter().copied()))
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_demo_starts_an_ephemeral_daemon_that_ends_with_it() {
        let arguments = parse(&["--ephemeral", "--announce", "--exit-with-stdin"]).unwrap();
        assert!(arguments.ephemeral && arguments.announce && arguments.exit_with_stdin);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse(&["--ephemeral", "--state-dir", "/x"]).is_err());
        assert!(parse(&["--check", "--announce"]).is_err());
        assert!(parse(&["--no-such-flag"]).is_err());
        assert!(parse(&["stray"]).is_err());
    }
}
