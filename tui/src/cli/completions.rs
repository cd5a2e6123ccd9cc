//! `completions`: the script that makes a shell complete our commands, generated from the grammar itself. It contacts no
//! daemon. Tenant names are not completed, since a key press must not wait for a daemon.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Arguments;
use super::error::CliError;
use super::output;

pub(in crate::cli) fn run(shell: Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tenantry", &mut script);
    output::verbatim(&script)
}
