//! Writes an export of the trail to a file, part by part: for the command line and the console.
//!
//! Invariant: under the file's own name there is a whole export or nothing. Until its end, the export is written to
//! `FILE.part` beside it, which is removed when the writer is dropped. Never more than one part is in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenantry_protocol::audit::{AuditExportPart, AuditExportRequest};

use super::{Client, ClientError};

/// What may be done to a file that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Never,
    Asked,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error("{0}")]
    Client(#[from] ClientError),
    #[error("cannot write the export to {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
}

/// How an export ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exported {
    /// An absolute path, if that can be determined.
    pub(crate) file: PathBuf,
    pub(crate) events: u64,
    pub(crate) to_seq: i64,
    pub(crate) bytes: u64,
}

/// Asks for an export and writes it to `path`; `heard` is called for each part once it is written.
pub(crate) async fn export_to(
    client: &Client,
    request: AuditExportRequest,
    path: &Path,
    overwrite: Overwrite,
    heard: &mut (dyn FnMut(&AuditExportPart) + Send),
) -> Result<Exported, ExportError> {
    // Opened before the daemon is asked: an export is an event of the trail, and a bad path should not cost one.
    let mut file = ExportFile::open(path, overwrite)?;
    let export = client.audit_export(request).await?;
    loop {
        let part = client.audit_export_read(export.id.clone()).await?;
        let events = part.events;
        let is_last = part.is_last;
        let part = file.write(part).await?;
        heard(&part);
        if is_last {
            let bytes = file.bytes;
            let file = file.finish().await?;
            return Ok(Exported { file, events, to_seq: export.to_seq, bytes });
        }
    }
}

/// A new file that only its owner can read, under a temporary name until it is whole.
#[derive(Debug)]
struct ExportFile {
    path: PathBuf,
    part: PathBuf,
    /// Shared with the thread that writes, so that dropping this removes the partial file at once.
    file: Arc<File>,
    overwrite: Overwrite,
    bytes: u64,
    is_kept: bool,
}

impl ExportFile {
    fn open(path: &Path, overwrite: Overwrite) -> Result<Self, ExportError> {
        let Some(name) = path.file_name() else {
            return Err(failed(path, "that is no name of a file; name one".to_owned()));
        };
        if path.is_dir() {
            return Err(failed(path, "that is a folder; name a file in it".to_owned()));
        }
        if overwrite == Overwrite::Never && path.symlink_metadata().is_ok() {
            return Err(failed(path, taken()));
        }
        let mut part_name = name.to_owned();
        part_name.push(".part");
        let part = path.with_file_name(part_name);
        if overwrite == Overwrite::Asked {
            // Removes what an export that was killed left behind. Usually there is nothing.
            let _ = std::fs::remove_file(&part);
        }
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = opened.map_err(|error| {
            let problem = match error.kind() {
                io::ErrorKind::AlreadyExists => format!(
                    "{} is there: another export runs, or one was killed; remove it, or name another file",
                    part.display()
                ),
                io::ErrorKind::NotFound => "its folder does not exist; make it first".to_owned(),
                _ => format!("{error}; name a file in a folder that you can write to"),
            };
            failed(path, problem)
        })?;
        let file = Arc::new(file);
        Ok(Self { path: path.to_owned(), part, file, overwrite, bytes: 0, is_kept: false })
    }

    /// Returns the part without copying it.
    async fn write(&mut self, part: AuditExportPart) -> Result<AuditExportPart, ExportError> {
        let file = self.file.clone();
        self.bytes += part.text.len() as u64;
        let written = blocking(move || {
            let written = (&*file).write_all(part.text.as_bytes());
            written.map(|()| part)
        });
        written.await.map_err(|error| self.no_room(&error))
    }

    /// All bytes are on the disk before the file gets its name.
    async fn finish(mut self) -> Result<PathBuf, ExportError> {
        let file = self.file.clone();
        blocking(move || file.sync_all()).await.map_err(|error| self.no_room(&error))?;
        let named = match self.overwrite {
            Overwrite::Asked => std::fs::rename(&self.part, &self.path),
            Overwrite::Never => self.name_if_free(),
        };
        named.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => failed(&self.path, taken()),
            _ => failed(&self.path, format!("{error}; nothing is left of it")),
        })?;
        self.is_kept = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new(".")).to_owned();
        // Some file systems cannot sync a folder; the file itself is on the disk.
        let _ = blocking(move || File::open(folder)?.sync_all()).await;
        Ok(std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()))
    }

    /// Unlike a rename, a link refuses a name that was taken meanwhile. On file systems without links, the rename must do.
    fn name_if_free(&self) -> io::Result<()> {
        match std::fs::hard_link(&self.part, &self.path) {
            Ok(()) => std::fs::remove_file(&self.part),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => std::fs::rename(&self.part, &self.path),
        }
    }

    fn no_room(&self, error: &io::Error) -> ExportError {
        let problem = match error.kind() {
            io::ErrorKind::StorageFull => {
                "the disk is full; name a file on another, or narrow the filter".to_owned()
            }
            _ => format!("{error}; nothing is left of it"),
        };
        failed(&self.path, problem)
    }
}

impl Drop for ExportFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // It is ours (made with create_new) and not whole, so nobody needs it.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

fn failed(path: &Path, problem: String) -> ExportError {
    ExportError::File { path: path.to_owned(), problem }
}

fn taken() -> String {
    "it exists already, and is not overwritten; name a new file".to_owned()
}

/// Runs on a thread of its own: a slow disk must not block the console.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::other("the thread that writes it is gone")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn part(text: &str) -> AuditExportPart {
        AuditExportPart { text: text.to_owned(), events: 1, searched_to: 1, to_seq: 1, is_last: false }
    }

    #[tokio::test]
    async fn the_name_stands_for_a_whole_export_or_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.jsonl");
        let mut file = ExportFile::open(&path, Overwrite::Never).unwrap();
        file.write(part("one\n")).await.unwrap();
        assert!(!path.exists() && folder.path().join("trail.jsonl.part").exists());
        let second = ExportFile::open(&path, Overwrite::Never).unwrap_err().to_string();
        assert!(second.contains("another export runs"), "{second}");
        file.write(part("two\n")).await.unwrap();
        file.finish().await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the part is gone");
    }

    #[tokio::test]
    async fn one_that_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.csv");
        let mut file = ExportFile::open(&path, Overwrite::Never).unwrap();
        file.write(part("half")).await.unwrap();
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_there_is_overwritten_only_if_that_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trail.csv");
        let open = |overwrite| ExportFile::open(&path, overwrite);
        // A file that appears during the export is not lost either.
        let mut late = open(Overwrite::Never).unwrap();
        late.write(part("new")).await.unwrap();
        std::fs::write(&path, "old").unwrap();
        assert!(late.finish().await.unwrap_err().to_string().contains("exists already"));
        assert!(open(Overwrite::Never).unwrap_err().to_string().contains("exists already"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut file = open(Overwrite::Asked).unwrap();
        file.write(part("new")).await.unwrap();
        file.finish().await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        let nowhere = ExportFile::open(&folder.path().join("no/where.csv"), Overwrite::Never);
        assert!(nowhere.unwrap_err().to_string().contains("make it first"));
    }
}
