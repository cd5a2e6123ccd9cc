//! Where the programs under test and the PostgreSQL servers are.
//!
//! The binaries of other packages are built once per test process, so that a test never runs a stale daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use super::Version;

/// The folder that holds the whole project.
pub fn project_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Cargo's target folder: this test runs as `TARGET/debug/deps/e2e-…`, or `TARGET/release/…` where it measures.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().unwrap().to_owned()
}

/// Whether this is a build that measures.
pub(crate) fn are_optimised() -> bool {
    profile_dir().ends_with("release")
}

/// Where programs of the same profile as this test are.
fn profile_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// The folder of `tenantryd` and `tenantry`, freshly built.
fn binary_dir() -> &'static Path {
    static DIR: OnceLock<Result<PathBuf, ExitStatus>> = OnceLock::new();
    let built = DIR.get_or_init(|| build(&[], &target_dir()).map(|()| profile_dir()));
    built.as_ref().unwrap_or_else(|status| panic!("the workspace does not build: {status}"))
}

/// The daemon with points in it where a test can break an operation, freshly built.
pub fn tenantryd_with_faults() -> PathBuf {
    static BUILT: OnceLock<Result<(), ExitStatus>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let program = ["--bin", "tenantryd-with-faults", "--features", "tenantryd/faults"];
        build(&program, &target_dir())
    });
    built.as_ref().unwrap_or_else(|status| panic!("the daemon with faults does not build: {status}"));
    profile_dir().join("tenantryd-with-faults")
}

/// Builds of the whole workspace, as `make test` does: another choice of packages means other features and a rebuild.
fn build(what: &[&str], target: &Path) -> Result<(), ExitStatus> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells this test about its package would make some build scripts run anew, and the driver with them.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    // A run that measures its tests sets this, and it would make everything anew.
    command.env_remove("RUSTC_BOOTSTRAP");
    let status = command
        .args(["build", "--quiet", "--workspace"])
        .args(are_optimised().then_some("--release"))
        .args(what)
        .current_dir(project_dir())
        .env("CARGO_TARGET_DIR", target)
        .status()
        .expect("cargo can be run");
    if status.success() { Ok(()) } else { Err(status) }
}

/// The daemon.
pub fn tenantryd() -> PathBuf {
    binary_dir().join("tenantryd")
}

/// The client.
pub fn tenantry() -> PathBuf {
    binary_dir().join("tenantry")
}

/// The folder of initdb, pg_ctl and postgres of that version.
pub fn server_bin(version: Version) -> PathBuf {
    match version {
        Version::Packaged => packaged_server_bin(),
        Version::V18 => match std::env::var_os("TENANTRY_TEST_PG18_BIN") {
            Some(dir) => dir.into(),
            None => {
                let dir = target_dir().join("postgresql-18/server/bin");
                assert!(
                    dir.join("postgres").exists(),
                    "PostgreSQL 18 is not at {}: fetch it with scripts/fetch-postgresql-18 {}",
                    dir.display(),
                    target_dir().join("postgresql-18").display()
                );
                dir
            }
        },
    }
}

/// What the server says that it is.
pub fn server_version(version: Version) -> String {
    let output = Command::new(server_bin(version).join("postgres")).arg("--version").output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// Copies a program by another process: a file that this one writes stays open in whatever it starts at that moment, and nobody
/// can run it until then.
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().expect("cp can be run");
    assert!(status.success(), "{} cannot be copied to {}", from.display(), to.display());
}

/// Not the one on the PATH: Debian's is a script that looks for a cluster, and takes longer than the query.
pub fn psql() -> PathBuf {
    packaged_server_bin().join("psql")
}

/// The newest server that Debian's packages installed, or the one in `TENANTRY_TEST_PG_BIN`.
fn packaged_server_bin() -> PathBuf {
    if let Some(dir) = std::env::var_os("TENANTRY_TEST_PG_BIN") {
        return dir.into();
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(version, bin)| *version >= 15 && bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("a PostgreSQL server is installed: run scripts/install-deps test").1
}
