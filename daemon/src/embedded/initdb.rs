//! Makes the private cluster.
//!
//! Invariant: the data directory appears by one rename, once it is complete. A killed process or a full disk leaves at most
//! remains that carry the daemon's mark, and the next start removes them. Nothing without such a mark may be touched.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Output;

use super::account::OsUser;
use super::binaries::{Binaries, major_of};
use super::bootstrap::SUPERUSER;
use super::layout::{Layout, require_owner};
use super::{Durability, EmbeddedError};

/// A fresh cluster with its two databases takes 70 MB after it is stopped (15.20). The rest is for its next log segment.
pub(super) const NEEDED_BYTES: u64 = 96 * 1024 * 1024;
const MARKER: &str = "tenantry.partial";
const MARKER_TEXT: &str = "A private cluster that tenantryd was making. It is removed at the next start.\n";

/// The major version that made the cluster, or none if there is no cluster yet.
pub(super) fn existing_version(layout: &Layout, user: &OsUser) -> Result<Option<u32>, EmbeddedError> {
    let fail = |source| EmbeddedError::Directory { path: layout.data.clone(), source };
    let mut entries = match fs::read_dir(&layout.data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    if entries.next().is_none() {
        return Ok(None);
    }
    require_owner(&layout.data, user.uid())?;
    let text = fs::read_to_string(layout.data.join("PG_VERSION")).unwrap_or_default();
    let version = major_of(text.trim());
    version.map(Some).ok_or_else(|| EmbeddedError::NotACluster { path: layout.data.clone() })
}

/// Removes what an interrupted attempt left.
pub(super) fn remove_remains(layout: &Layout) -> Result<(), EmbeddedError> {
    let fail = |source| EmbeddedError::Directory { path: layout.partial.clone(), source };
    match fs::symlink_metadata(&layout.partial) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(EmbeddedError::ForeignRemains { path: layout.partial.clone() });
        }
        Ok(_) => {}
    }
    // The directory is empty if the process was killed between making and marking it.
    if fs::remove_dir(&layout.partial).is_ok() {
        return Ok(());
    }
    if !layout.partial.join(MARKER).is_file() {
        return Err(EmbeddedError::ForeignRemains { path: layout.partial.clone() });
    }
    tracing::warn!(path = %layout.partial.display(), "removing a private cluster that was never finished");
    discard(&layout.partial).map_err(fail)
}

/// Makes the cluster. Leaves nothing behind on failure.
pub(super) async fn make(
    layout: &Layout,
    binaries: &Binaries,
    user: &OsUser,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    if layout.free_bytes().is_some_and(|free| free < NEEDED_BYTES) {
        return Err(layout.no_space(NEEDED_BYTES));
    }
    let made = make_partial(layout, binaries, user, durability).await;
    if made.is_err()
        && let Err(error) = discard(&layout.partial)
    {
        tracing::warn!(path = %layout.partial.display(), %error, "remains of a cluster can't be removed yet");
    }
    made
}

pub(super) async fn make_partial(
    layout: &Layout,
    binaries: &Binaries,
    user: &OsUser,
    durability: Durability,
) -> Result<(), EmbeddedError> {
    let partial = &layout.partial;
    let fail = |source| layout.explain(source, NEEDED_BYTES, partial);
    DirBuilder::new().mode(0o700).create(partial).map_err(fail)?;
    File::create_new(partial.join(MARKER))
        .and_then(|mut marker| marker.write_all(MARKER_TEXT.as_bytes()))
        .map_err(fail)?;
    File::open(partial).and_then(|dir| user.take(&dir)).map_err(fail)?;
    let data = partial.join("data");
    let mut output = initdb(&data, "C.UTF-8", binaries, user, durability).await?;
    if !output.status.success() && text_of(&output).contains("invalid locale name") {
        // Slim containers have no C.UTF-8. C sorts the same way; only upper and lower case in other scripts differ.
        output = initdb(&data, "C", binaries, user, durability).await?;
    }
    if !output.status.success() {
        let said = text_of(&output);
        if tells_full_disk(&said) {
            return Err(layout.no_space(NEEDED_BYTES));
        }
        return Err(EmbeddedError::Initdb { path: layout.data.clone(), output: last_lines(&said, 6) });
    }
    // Makes sure that this is a directory of that user, and not a link that the user put there.
    if !fs::symlink_metadata(&data).map_err(fail)?.is_dir() {
        return Err(fail(io::ErrorKind::NotADirectory.into()));
    }
    require_owner(&data, user.uid())?;
    fs::rename(&data, &layout.data).map_err(fail)?;
    discard(partial).map_err(fail)?;
    if durability == Durability::Durable {
        File::open(&layout.home).and_then(|home| home.sync_all()).map_err(fail)?;
    }
    Ok(())
}

async fn initdb(
    data: &Path,
    locale: &str,
    binaries: &Binaries,
    user: &OsUser,
    durability: Durability,
) -> Result<Output, EmbeddedError> {
    let program = binaries.initdb();
    let mut command = user.command(&program);
    command.arg("--pgdata").arg(data).arg("--username").arg(SUPERUSER);
    command.args(["--encoding=UTF8", "--data-checksums", "--no-instructions", "--auth=reject"]);
    command.arg(format!("--locale={locale}"));
    if durability == Durability::Fleeting {
        command.arg("--no-sync");
    }
    command.output().await.map_err(|source| EmbeddedError::Run { program, source })
}

/// Removes remains. The mark goes last, so that an interrupted removal is continued later.
fn discard(partial: &Path) -> io::Result<()> {
    match fs::remove_dir_all(partial.join("data")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the output of a PostgreSQL program is about a full disk. A short write is reported without the system's error.
pub(super) fn tells_full_disk(text: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "Check free disk space"]
        .iter()
        .any(|w| text.contains(w))
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].join("; ")
}
