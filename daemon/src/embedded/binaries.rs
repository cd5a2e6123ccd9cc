//! Finds PostgreSQL's server programs.
//!
//! Invariant: the programs that are returned can run (they printed their version) and fit the existing cluster. Only `initdb`
//! and `postgres` are needed. Nothing is downloaded or installed.

use std::path::{Path, PathBuf};

pub(super) use crate::postgres::archive::programs::major_of;
use crate::postgres::archive::programs::{installed, parse_version};
use crate::private_path;

use super::OLDEST_MAJOR;
use super::account::OsUser;
use super::error::EmbeddedError;

/// Names the directory of the programs for a daemon without a configuration.
pub const BIN_DIR_VARIABLE: &str = "TENANTRY_PG_BIN";
const CONFIGURED: &str = "[embedded] bin_dir";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    pub(super) major: u32,
    /// As the program prints it: `15.14`, `18rc1`.
    pub(super) version: String,
}

impl Binaries {
    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    /// Finds the programs of the named directory, or the newest installed ones. If a cluster exists, they
    /// have the version that made it.
    pub(super) async fn find(
        named: Option<&Path>,
        existing: Option<(&Path, u32)>,
        user: &OsUser,
    ) -> Result<Self, EmbeddedError> {
        let variable = std::env::var_os(BIN_DIR_VARIABLE).map(PathBuf::from);
        let named = match (named, variable) {
            (Some(dir), _) => Some((dir.to_owned(), CONFIGURED)),
            (None, Some(dir)) => Some((dir, BIN_DIR_VARIABLE)),
            (None, None) => None,
        };
        // The variable is set by the user who starts the daemon, and that user can start any program anyway.
        if let Some((dir, CONFIGURED)) = &named {
            private_path::check_programs(dir, &["postgres", "initdb"])?;
        }
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
        // Among equal versions the first one wins: the search goes from the package's directories to PATH.
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
