//! What can be wrong with a configuration: each error is a sentence with its place and what to do next.
//!
//! Must never show a value that could be a secret. The number of a line is given, and its text is never quoted.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tenantry_protocol::endpoint::MAX_SOCKET_PATH_BYTES;
use tenantry_protocol::name::NameError;

use crate::private_path::PathError;

use super::connection::UrlError;
use super::secret::SecretFileError;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration {} can't be read ({source}): create it, or name another with --config", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration is not safe, which says who may do what: {0}")]
    Exposed(#[source] Box<PathError>),
    #[error("{}:{line}:{column}: {message}", path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, message: String },
    #[error("{place}: {key} {problem}")]
    Value { place: ConfigLine, key: String, problem: Problem },
    #[error("{key} {problem}")]
    Setting { key: &'static str, problem: Problem },
    #[error("a temporary directory can't be made in {} ({source}): set TMPDIR to a directory that can hold one", path.display())]
    Scratch { path: PathBuf, source: io::Error },
    #[error(
        "no home directory is known for this user: set HOME, or give both --state-dir and --socket on the command line"
    )]
    NoHome,
    #[error(
        "the environment variable {0} is set, and the PostgreSQL driver would obey it behind the configuration's back: \
         unset it"
    )]
    Ambient(&'static str),
}

/// A line of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigLine {
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("is too long: at most {most} characters are allowed")]
    TooLong { most: usize },
    #[error("holds control characters: use printable text")]
    Unprintable,
    #[error("is not an absolute path: write it from / on")]
    Relative,
    #[error(
        "is too long for a socket: the path {} has {bytes} bytes, and the system allows {MAX_SOCKET_PATH_BYTES}; \
         choose a shorter one",
        path.display()
    )]
    SocketPath { path: PathBuf, bytes: usize },
    #[error("must be from {least} to {most}")]
    Range { least: u64, most: u64 },
    #[error("is not an address and port: write 127.0.0.1:5433 or [::1]:5433, with a port from 1024 to 65535")]
    Address,
    #[error(
        "is not a loopback address: the private cluster is for this machine only (127.0.0.1:5433 or [::1]:5433); for \
         others, run a PostgreSQL server of your own and name it in [control] and [[targets]]"
    )]
    NotLoopback,
    #[error("{0}")]
    Name(#[source] NameError),
    #[error("is the name of two targets: each needs its own")]
    Duplicate,
    #[error("{0}")]
    Url(#[source] UrlError),
    #[error(
        "holds a password, and this file is readable by every user (mode {mode:04o}): chmod 0640 it, or move the \
             password to a file of its own and name it in password_file"
    )]
    Exposed { mode: u32 },
    #[error("{}: the file {source}", path.display())]
    Secret {
        path: PathBuf,
        #[source]
        source: SecretFileError,
    },
    #[error("can't stand beside log.dir, which says where the log goes: remove one of them")]
    JournalAndDir,
    #[error("is given without migrate_url, which it belongs to")]
    WithoutMigrateUrl,
    #[error(
        "names the {kind} '{name}', which this machine does not know: correct the name or create it (a user is written \
             \"name\", a group \"@name\")"
    )]
    Unknown { kind: PrincipalKind, name: String },
    #[error("can't be looked up ({0}): try again, or look at the machine's user database")]
    Lookup(#[source] io::Error),
    #[error(
        "is given, but no [[targets]]: name at least one, or remove [control] to use the private cluster"
    )]
    NoTargets,
    #[error(
        "are given, but no [control]: name the control database, or remove them to use the private cluster"
    )]
    NoControl,
    #[error("can't stand beside [control]: the private cluster is only used when no servers are named")]
    EmbeddedAndControl,
    #[error("can't be used with --ephemeral, which runs a private cluster of its own: remove one of them")]
    EphemeralAndControl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    User,
    Group,
}

impl fmt::Display for ConfigLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
        })
    }
}
