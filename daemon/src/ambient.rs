//! Environment variables that change how PostgreSQL is reached and that a connection cannot override.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Environment variables that the driver (sqlx 0.9, `PgConnectOptions::new_without_pgpass`) reads into fields that
/// no builder call can empty again. The daemon runs without them: see [`shed_postgres_environment`].
pub const VARIABLES: [&str; 4] = ["PGOPTIONS", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"];

/// Runs the program again, in the same process, without the `PG*` variables that the driver reads and that a connection's
/// own values cannot override. Returns at once if none of them is set.
///
/// Call it before anything else in `main`. It returns only if there is nothing to do, or with the error of `exec`.
pub fn shed_postgres_environment() -> io::Result<()> {
    let present = VARIABLES.iter().filter(|name| std::env::var_os(name).is_some());
    let present: Vec<&str> = present.copied().collect();
    if present.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let own_name = arguments.next().unwrap_or_else(|| OsString::from("tenantryd"));
    // The link, not its target: the link stays right after an upgrade has replaced the file.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(own_name).args(arguments);
    for name in present {
        command.env_remove(name);
    }
    Err(command.exec())
}
