//! Removes what killed temporary daemons left behind: their servers and their directories.
//!
//! Invariant: a directory is removed only if it belongs to this user, has a temporary daemon's name, and has a lock that
//! nobody holds. A directory that is just being made has no lock yet, or a young one, and is left alone.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::layout::LOCK_FILE;
use super::postmaster;
use crate::config::paths::EPHEMERAL_PREFIX;
use crate::file_lock::FileLock;
use crate::private_path;

/// A daemon opens its lock before it takes it. It must not be mistaken for dead in between.
const YOUNG: Duration = Duration::from_secs(10);

/// Ends the servers and removes the directories of temporary daemons that are gone. Returns the directories that were removed.
/// A failure is logged, and the directory stays for the next attempt.
pub async fn remove_abandoned(temp_dir: &Path) -> Vec<PathBuf> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(temp_dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(EPHEMERAL_PREFIX));
        if !ours || !is_own_directory(&path) {
            continue;
        }
        let home = path.join("cluster");
        let Ok(Some(_lock)) = lock_of_the_dead(&home.join(LOCK_FILE)) else { continue };
        let ended = postmaster::end_all(&home.join("data"), Signal::SIGQUIT).await;
        if let Err(error) = ended {
            tracing::warn!(path = %path.display(), %error, "a temporary daemon's server can't be ended");
            continue;
        }
        match fs::remove_dir_all(&path) {
            Ok(()) => removed.push(path),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a temporary daemon's directory can't be removed");
            }
        }
    }
    removed
}

fn is_own_directory(path: &Path) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own)
}

/// Takes the lock and returns it, if its daemon is gone.
fn lock_of_the_dead(path: &Path) -> io::Result<Option<FileLock>> {
    let file = private_path::open(path, OpenOptions::new().read(true))?;
    let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    Ok(if age > YOUNG { FileLock::take(file).ok() } else { None })
}
