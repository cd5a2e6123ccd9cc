//! Finding PostgreSQL's server programs.
//!
//! Invariant: what is returned can run (it told its version) and fits the cluster that exists. Only `initdb` and
//! `postgres` are relied on; nothing is downloaded or installed.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::OsUser;
use super::error::EmbeddedError;

/// The first version with what provisioning needs (GRANT SET ON PARAMETER, a `public` schema closed by default).
pub(super) const OLDEST_MAJOR: u32 = 15;
/// Names the programs' directory for a daemon without a configuration.
pub const BIN_DIR_VARIABLE: &str = "TENANTRY_PG_BIN";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    pub(super) major: u32,
    /// As the program says it: `15.14`, `18rc1`.
    pub(super) version: String,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// The named directory's programs, or the newest that are installed; of the version that made `existing`.
    pub(super) async fn find(
        named: Option<&Path>,
        existing: Option<(&Path, u32)>,
        user: &OsUser,
    ) -> Result<Self, EmbeddedError> {
        let variable = std::env::var_os(BIN_DIR_VARIABLE).map(PathBuf::from);
        let named = match (named, variable) {
            (Some(dir), _) => Some((dir.to_owned(), "[embedded] bin_dir")),
            (None, Some(dir)) => Some((dir, BIN_DIR_VARIABLE)),
            (None, None) => None,
        };
        let dirs = named.as_ref().map_or_else(installed, |(dir, _)| vec![dir.clone()]);
        let mut candidates = Vec::new();
        for dir in dirs {
            candidates.extend(Self::probe(dir, user).await);
        }
        let found: Vec<String> = candidates.iter().map(|c| format!("PostgreSQL {}", c.version)).collect();
        let usable = candidates.into_iter().filter(|c| c.major >= OLDEST_MAJOR);
        let mut usable: Vec<Self> = usable.collect();
        if usable.is_empty() {
            return Err(match named {
                Some((dir, origin)) => EmbeddedError::NotABinDir { dir, origin, found },
                None => EmbeddedError::NoPrograms { found },
            });
        }
        if let Some((data_dir, made_by)) = existing {
            usable.retain(|c| c.major == made_by);
            if usable.is_empty() {
                return Err(EmbeddedError::OtherVersion { data_dir: data_dir.to_owned(), made_by, found });
            }
        }
        // Of equals the first: the search goes from the package's places to PATH.
        let newest =
            usable.into_iter().reduce(|best, next| if next.major > best.major { next } else { best });
        newest.ok_or(EmbeddedError::NoPrograms { found: Vec::new() })
    }

    async fn probe(dir: PathBuf, user: &OsUser) -> Option<Self> {
        let program = dir.join("postgres");
        if !program.is_file() || !dir.join("initdb").is_file() {
            return None;
        }
        let output = user.command(&program).arg("--version").output().await.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = parse_version(&text)?;
        Some(Self { dir, major: major_of(version)?, version: version.to_owned() })
    }
}

/// The directories where packages and people put the programs.
fn installed() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
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
fn parse_version(text: &str) -> Option<&str> {
    text.split_once("(PostgreSQL) ")?.1.split_whitespace().next()
}

/// `15.14`, `18rc1` and a cluster's `15` → 15, 18, 15.
pub(super) fn major_of(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_packages_write_them() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some("15.14"));
        assert_eq!(parse_version("postgres (PostgreSQL) 18.0\n"), Some("18.0"));
        assert_eq!(parse_version("bash: postgres: not found"), None);
        assert_eq!(
            (major_of("18rc1"), major_of("15.14"), major_of("15"), major_of("x")),
            (Some(18), Some(15), Some(15), None)
        );
    }
}
