//! The command line of `tenantryd`, and the environment it starts in.
//!
//! Invariant: a `PG*` variable never changes what the daemon connects to or how; the daemon runs again without these
//! variables. Parsing only: [`crate::config`] decides what the arguments mean for paths and servers.

use std::path::PathBuf;

use clap::Parser;

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
