//! The errors of the private cluster, each as a sentence that says what to do next.
//!
//! Must never carry a password. The output of PostgreSQL's programs and the tail of the server's log are shown, and the
//! settings make sure that neither contains statements.

use std::io;
use std::path::PathBuf;

use tenantry_protocol::endpoint::MAX_SOCKET_PATH_BYTES;

use crate::private_path::PathError;

use super::OLDEST_MAJOR;

#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "the private cluster can't run as root, and this machine has no user '{name}': create it, or name another \
         unprivileged user in [embedded] user"
    )]
    UserUnknown { name: String },
    #[error(
        "the private cluster can't run as '{name}', which is root: name an unprivileged user in [embedded] user"
    )]
    UserIsRoot { name: String },
    #[error(
        "[embedded] user is '{name}', but only root can run the cluster as somebody else: remove the key"
    )]
    UserNotOurs { name: String },
    #[error(
        "the user id {uid} has no name on this machine, and PostgreSQL's initdb refuses that: run as a user that \
         /etc/passwd knows"
    )]
    UserNameless { uid: u32 },
    #[error("the users of this machine can't be looked up ({source})")]
    UserLookup { source: io::Error },
    #[error(
        "no PostgreSQL server programs (initdb and postgres, {OLDEST_MAJOR} or newer) are installed{}: on Debian or Ubuntu \
         `apt-get install postgresql` brings them (package postgresql-15 or newer), or set [embedded] bin_dir to \
         the directory that holds them",
        too_old(found)
    )]
    NoPrograms { found: Vec<String> },
    #[error("{} does not hold initdb and postgres of PostgreSQL {OLDEST_MAJOR} or newer{}: correct {origin}", dir.display(), too_old(found))]
    NotABinDir { dir: PathBuf, origin: &'static str, found: Vec<String> },
    #[error(
        "the cluster in {} was made by PostgreSQL {made_by}, and only {} is found: install postgresql-{made_by}, or \
         move the data to the newer version with pg_upgrade",
        data_dir.display(),
        list(found)
    )]
    OtherVersion { data_dir: PathBuf, made_by: u32, found: Vec<String> },
    #[error("the path {} can't be used: write it in UTF-8, absolute and without control characters", path.display())]
    PathText { path: PathBuf },
    #[error(
        "the socket's path {} has {bytes} bytes, and the system allows {MAX_SOCKET_PATH_BYTES}: choose a shorter \
         state directory",
        path.display()
    )]
    SocketPath { path: PathBuf, bytes: usize },
    #[error(transparent)]
    Exposed(#[from] PathError),
    #[error("{} can't be used ({source}): give the daemon's user the right to, or choose another state directory", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("{} belongs to another user (uid {owner}): choose another state directory, or move it away", path.display())]
    ForeignOwner { path: PathBuf, owner: u32 },
    #[error("{} can be written to by other users (mode {mode:04o}): chmod go-w it", path.display())]
    OpenDirectory { path: PathBuf, mode: u32 },
    #[error(
        "the cluster's user '{user}' can't pass through {} (mode {mode:04o}): chmod o+x it, or choose another state \
         directory",
        path.display()
    )]
    ClosedParent { path: PathBuf, mode: u32, user: String },
    #[error("{} is not a PostgreSQL cluster and not empty: move it away, or choose another state directory", path.display())]
    NotACluster { path: PathBuf },
    #[error("{} was not made by this daemon, and its name is needed: move it away", path.display())]
    ForeignRemains { path: PathBuf },
    #[error(
        "another daemon{} uses the private cluster in {}: stop it first, or start this one with another --state-dir",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    Locked { path: PathBuf, pid: Option<u32> },
    #[error(
        "the disk of {} is too full: {} are free, and a new cluster needs {}; make room, or choose another state \
         directory",
        path.display(),
        mebibytes(*free),
        mebibytes(*needed)
    )]
    NoSpace { path: PathBuf, free: u64, needed: u64 },
    #[error("{} can't be run ({source}): check that the cluster's user may execute it", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("initdb could not make the cluster in {}; it said: {output}", path.display())]
    Initdb { path: PathBuf, output: String },
    #[error("the private PostgreSQL server did not start; the end of its log {} says:\n{tail}", log.display())]
    Start { log: PathBuf, tail: String },
    #[error("the private PostgreSQL server was not ready after {seconds} s; the end of its log {} says:\n{tail}", log.display())]
    StartTimeout { log: PathBuf, seconds: u64, tail: String },
    #[error("a connection to the private PostgreSQL server failed while it was prepared ({step}): {source}")]
    Prepare { step: &'static str, source: sqlx::Error },
    #[error("process {pid} of the private PostgreSQL server can't be signalled ({source}): stop it by hand")]
    Signal { pid: i32, source: io::Error },
    #[error(
        "the private PostgreSQL server (process {pid}) did not end, not even when killed: look at `ps -p {pid}`"
    )]
    Immortal { pid: i32 },
}

impl EmbeddedError {
    /// Whether the server refused because the disk is full (SQLSTATE 53100).
    pub(super) fn is_disk_full(&self) -> bool {
        let Self::Prepare { source, .. } = self else { return false };
        source.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "53100")
    }
}

fn too_old(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(" ({} is too old)", list(found)) }
}

fn list(versions: &[String]) -> String {
    if versions.is_empty() { "no PostgreSQL".to_owned() } else { versions.join(", ") }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
