//! Finds `pg_dump` and `pg_restore` in a version that can dump the given server.
//!
//! Invariant: programs that are returned have printed their version. Nothing is downloaded or installed. A
//! refusal says what to install.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::private_path;

use crate::postgres::error::{Error, Result};

/// How long a program may take to print its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// The two programs, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    dir: PathBuf,
    pub major: u32,
    /// As the program prints it: `15.14`.
    pub version: String,
}

impl Programs {
    pub fn pg_dump(&self) -> PathBuf {
        self.dir.join("pg_dump")
    }

    pub fn pg_restore(&self) -> PathBuf {
        self.dir.join("pg_restore")
    }

    /// Searches the named directory, or else `beside` and the installed versions, for the nearest version that can dump a
    /// server of version `major`. An older version will not do, because `pg_dump` refuses a newer server.
    pub async fn find(named: Option<&Path>, beside: Option<&Path>, major: u32) -> Result<Self> {
        if let Some(dir) = named {
            private_path::check_programs(dir, &["pg_dump", "pg_restore"])
                .map_err(|error| Error::Refused(format!("[archive] bin_dir is not safe: {error}")))?;
        }
        let anywhere = || beside.map(Path::to_owned).into_iter().chain(installed()).collect();
        let dirs = named.map_or_else(anywhere, |dir| vec![dir.to_owned()]);
        let mut found = Vec::new();
        for dir in dirs {
            found.extend(Self::probe(dir).await);
        }
        let best =
            found.iter().filter(|programs| programs.major >= major).min_by_key(|programs| programs.major);
        best.cloned().ok_or_else(|| refusal(named, &found, major))
    }

    async fn probe(dir: PathBuf) -> Option<Self> {
        let version = version_of(&dir.join("pg_dump")).await?;
        version_of(&dir.join("pg_restore")).await?;
        Some(Self { major: major_of(&version)?, dir, version })
    }
}

fn refusal(named: Option<&Path>, found: &[Programs], major: u32) -> Error {
    let install = format!(
        "install the client programs of PostgreSQL {major} (Debian's package postgresql-client-{major}) or name their \
         directory in [archive] bin_dir; or give the data up with --discard-data"
    );
    let newest = found.iter().max_by_key(|programs| programs.major);
    let problem = match (newest, named) {
        (Some(newest), _) => format!(
            "the newest pg_dump here is {} in {}, and it cannot dump a server of version {major}",
            newest.version,
            newest.dir.display()
        ),
        (None, Some(dir)) => format!("there is no working pg_dump and pg_restore in {}", dir.display()),
        (None, None) => "pg_dump and pg_restore are not installed".to_owned(),
    };
    Error::Refused(format!("no archive can be made: {problem}: {install}"))
}

async fn version_of(program: &Path) -> Option<String> {
    if !program.is_file() {
        return None;
    }
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    parse_version(&text).map(str::to_owned)
}

/// The directories where packages and administrators install PostgreSQL's programs.
pub fn installed() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
                dirs.push(entry.path().join("bin"));
            }
        }
    }
    dirs.push("/usr/local/pgsql/bin".into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    dirs.extend(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    dirs
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → `15.14`.
pub fn parse_version(text: &str) -> Option<&str> {
    text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()
}

/// `15.14`, `18rc1` and a cluster's `15` → 15, 18, 15.
pub fn major_of(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_packages_write_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some("15.14"));
        assert_eq!(parse_version("pg_dump (PostgreSQL) 18.0\n"), Some("18.0"));
        assert_eq!(parse_version("bash: postgres: not found"), None);
        assert_eq!(
            (major_of("18rc1"), major_of("15.14"), major_of("15"), major_of("x")),
            (Some(18), Some(15), Some(15), None)
        );
    }
}
