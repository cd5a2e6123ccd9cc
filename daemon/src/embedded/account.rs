//! The operating system user that the cluster's processes run as.
//!
//! Invariant: no PostgreSQL program ever runs as root or with anything from the daemon's environment.

use std::fs::File;
use std::io;
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::unistd::{Uid, User, geteuid};
use tokio::process::Command;

use super::error::EmbeddedError;

const DEFAULT_USER: &str = "postgres";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OsUser {
    /// The daemon's own user, which is not root.
    Current,
    /// An unprivileged user that root switches to.
    Drop { uid: u32, gid: u32, name: String },
}

impl OsUser {
    /// Root gets the wanted user (by default `postgres`); any other user stays itself.
    pub fn resolve(wanted: Option<&str>) -> Result<Self, EmbeddedError> {
        let euid = geteuid();
        if !euid.is_root() {
            let own = name_of(euid)?;
            return match wanted {
                Some(name) if name != own => Err(EmbeddedError::UserNotOurs { name: name.to_owned() }),
                _ => Ok(Self::Current),
            };
        }
        let name = wanted.unwrap_or(DEFAULT_USER).to_owned();
        let user =
            User::from_name(&name).map_err(|errno| EmbeddedError::UserLookup { source: errno.into() })?;
        match user {
            None => Err(EmbeddedError::UserUnknown { name }),
            Some(user) if user.uid.is_root() => Err(EmbeddedError::UserIsRoot { name }),
            Some(user) => Ok(Self::Drop { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name }),
        }
    }

    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Current => geteuid().as_raw(),
            Self::Drop { uid, .. } => *uid,
        }
    }

    pub(super) fn name(&self) -> Result<String, EmbeddedError> {
        match self {
            Self::Current => name_of(geteuid()),
            Self::Drop { name, .. } => Ok(name.clone()),
        }
    }

    /// The operating system users that may become the cluster's superuser: the daemon's user and the cluster's user.
    pub(super) fn administrators(&self) -> Result<Vec<String>, EmbeddedError> {
        let mut names = vec![name_of(geteuid())?, self.name()?];
        names.dedup();
        Ok(names)
    }

    /// A command that runs as this user, with a minimal environment, in a directory that everybody can read. It has its own
    /// process group, so that a Ctrl-C for the daemon does not reach the server.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        command.current_dir("/").process_group(0).stdin(std::process::Stdio::null());
        if let Self::Drop { uid, gid, .. } = self {
            // The standard library drops root's supplementary groups along with its user id.
            command.gid(*gid).uid(*uid);
        }
        command
    }

    /// Gives an open file or directory to this user, if the daemon runs as another user. It does so by descriptor, so that it
    /// does not follow a link that the user puts in the place of the path.
    pub(super) fn take(&self, file: &File) -> io::Result<()> {
        match self {
            Self::Current => Ok(()),
            Self::Drop { uid, gid, .. } => fchown(file, Some(*uid), Some(*gid)),
        }
    }
}

fn name_of(uid: Uid) -> Result<String, EmbeddedError> {
    let user = User::from_uid(uid).map_err(|errno| EmbeddedError::UserLookup { source: errno.into() })?;
    user.map(|user| user.name).ok_or(EmbeddedError::UserNameless { uid: uid.as_raw() })
}
