//! The directories of the private cluster, and the lock that keeps a second daemon out of it.
//!
//! Invariant: the top directory belongs to the daemon, so that the cluster's less privileged user cannot put anything in the
//! way of the daemon's writes. Only the data and the sockets belong to that user.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tenantry_protocol::endpoint::MAX_SOCKET_PATH_BYTES;

use crate::file_lock::FileLock;
use crate::private_path;

use super::account::OsUser;
use super::error::EmbeddedError;
use super::{ClusterOptions, EmbeddedError as Error};

pub(super) const LOCK_FILE: &str = "cluster.lock";
/// If the log is longer than this at a start, a new one is begun, and one old log is kept.
const MAX_LOG_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Contains everything else, and belongs to the daemon.
    pub(super) home: PathBuf,
    pub(super) data: PathBuf,
    /// Where a new cluster is made, until it is complete.
    pub(super) partial: PathBuf,
    pub(super) log: PathBuf,
    /// UTF-8, since the server's settings are text.
    pub(super) socket_dir: String,
    /// The directories that did not exist before, with the deepest one last.
    created: Vec<PathBuf>,
}

impl Layout {
    /// Checks the paths, and makes missing directories.
    pub(super) fn prepare(options: &ClusterOptions) -> Result<Self, Error> {
        for path in [&options.data_dir, &options.socket_dir] {
            let text = path.to_str().filter(|text| !text.contains(char::is_control));
            if text.is_none() || !path.is_absolute() {
                return Err(Error::PathText { path: path.clone() });
            }
        }
        let socket = options.socket_dir.join(format!(".s.PGSQL.{}", options.port()));
        let bytes = socket.as_os_str().len();
        if bytes > MAX_SOCKET_PATH_BYTES {
            return Err(Error::SocketPath { path: socket, bytes });
        }
        let bad = || Error::PathText { path: options.data_dir.clone() };
        let home = options.data_dir.parent().ok_or_else(bad)?.to_owned();
        let name = options.data_dir.file_name().and_then(|name| name.to_str()).ok_or_else(bad)?;
        let mut layout = Self {
            data: options.data_dir.clone(),
            partial: home.join(format!("{name}.partial")),
            log: home.join("server.log"),
            socket_dir: options.socket_dir.to_string_lossy().into_owned(),
            home,
            created: Vec::new(),
        };
        let made = layout.make_directories(&options.os_user);
        if made.is_err() {
            layout.remove_created();
        }
        made.map(|()| layout)
    }

    fn make_directories(&mut self, user: &OsUser) -> Result<(), Error> {
        // Root's directory must let the cluster's user through to the data.
        let mode = match user {
            OsUser::Current => 0o700,
            OsUser::Drop { .. } => 0o711,
        };
        let home = self.home.clone();
        private_path::check(&home, None)?;
        self.make_all(&home, mode).map_err(|source| Error::Directory { path: home.clone(), source })?;
        require_owner(&home, nix::unistd::geteuid().as_raw())?;
        let socket_dir = PathBuf::from(&self.socket_dir);
        let fail = |source| Error::Directory { path: socket_dir.clone(), source };
        if let Some(parent) = socket_dir.parent() {
            private_path::check(parent, Some(user.uid()))?;
            self.make_all(parent, mode).map_err(fail)?;
        }
        if self.make_one(&socket_dir, 0o700).map_err(fail)? {
            File::open(&socket_dir).and_then(|dir| user.take(&dir)).map_err(fail)?;
        }
        require_owner(&socket_dir, user.uid())?;
        require_passage(&self.home, user)?;
        require_passage(&socket_dir, user)
    }

    fn make_all(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_all(parent, mode)?;
        }
        self.make_one(path, mode).map(|_| ())
    }

    /// Makes a directory. Returns false if it existed already.
    fn make_one(&mut self, path: &Path, mode: u32) -> io::Result<bool> {
        match DirBuilder::new().mode(mode).create(path) {
            Ok(()) => {
                // The process's umask may have taken bits away.
                fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
                self.created.push(path.to_owned());
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what a failed first start made: only empty directories, and only those that it made itself.
    pub(super) fn remove_created(&mut self) {
        for path in self.created.drain(..).rev() {
            // A directory that is not empty holds somebody's files, and stays.
            let _ = fs::remove_dir(path);
        }
    }

    /// Whether the directory did not exist before.
    pub(super) fn is_new(&self) -> bool {
        self.created.contains(&self.home)
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.home.join(LOCK_FILE)
    }

    /// Locks the cluster for this process. The lock also ends if the process is killed.
    pub(super) fn lock(&self) -> Result<FileLock, Error> {
        let path = self.lock_path();
        let fail = |source| Error::Directory { path: path.clone(), source };
        loop {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let mut lock = match FileLock::take(private_path::open(&path, options).map_err(fail)?) {
                Ok(lock) => lock,
                Err((holders, TryLockError::WouldBlock)) => {
                    let mut text = String::new();
                    let _ = holders.take(20).read_to_string(&mut text);
                    return Err(Error::Locked { path: self.data.clone(), pid: text.trim().parse().ok() });
                }
                Err((_, TryLockError::Error(source))) => return Err(fail(source)),
            };
            let file = lock.file();
            // A failed first start removes its lock file, and a lock on a removed file protects nothing.
            let locked = file.metadata().map_err(fail)?.ino();
            if fs::metadata(&path).is_ok_and(|now| now.ino() == locked) {
                let line = format!("{}\n", std::process::id());
                file.set_len(0).and_then(|()| file.rewind()).map_err(fail)?;
                file.write_all(line.as_bytes()).map_err(|source| self.explain(source, 0, &path))?;
                return Ok(lock);
            }
        }
    }

    /// Opens the server's log for appending.
    pub(super) fn open_log(&self) -> Result<File, Error> {
        let fail = |source| Error::Directory { path: self.log.clone(), source };
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > MAX_LOG_BYTES) {
            fs::rename(&self.log, self.log.with_extension("log.1")).map_err(fail)?;
        }
        private_path::open(&self.log, OpenOptions::new().create(true).append(true)).map_err(fail)
    }

    /// The end of the server's log after an offset, at most 20 lines.
    pub(super) fn log_tail(&self, offset: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(io::SeekFrom::Start(offset.max(length.saturating_sub(8192))))?;
            let mut bytes = Vec::new();
            file.take(8192).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Turns an error into one about a path, or into the one about disk space if the disk is full.
    pub(super) fn explain(&self, source: io::Error, needed: u64, path: &Path) -> EmbeddedError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.no_space(needed),
            _ => Error::Directory { path: path.to_owned(), source },
        }
    }

    pub(super) fn no_space(&self, needed: u64) -> EmbeddedError {
        Error::NoSpace { path: self.home.clone(), free: self.free_bytes().unwrap_or(0), needed }
    }

    /// The bytes that an unprivileged user may still write; none if the file system does not tell.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        let statistics = nix::sys::statvfs::statvfs(&self.home).ok()?;
        Some(statistics.blocks_available().saturating_mul(statistics.fragment_size()))
    }
}

/// Refuses a directory that belongs to another user, and one that others may write to.
pub(super) fn require_owner(path: &Path, owner: u32) -> Result<(), Error> {
    let fail = |source| Error::Directory { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(fail)?;
    if !metadata.is_dir() {
        return Err(fail(io::ErrorKind::NotADirectory.into()));
    }
    if metadata.uid() != owner {
        return Err(Error::ForeignOwner { path: path.to_owned(), owner: metadata.uid() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(Error::OpenDirectory { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Refuses a path that the cluster's user cannot traverse, because PostgreSQL's own message about it is misleading.
fn require_passage(path: &Path, user: &OsUser) -> Result<(), Error> {
    let OsUser::Drop { uid, gid, name } = user else { return Ok(()) };
    for dir in path.ancestors() {
        let metadata =
            fs::metadata(dir).map_err(|source| Error::Directory { path: dir.to_owned(), source })?;
        let mode = metadata.mode() & 0o7777;
        let bit = match () {
            () if metadata.uid() == *uid => 0o100,
            () if metadata.gid() == *gid => 0o010,
            () => 0o001,
        };
        if mode & bit == 0 {
            return Err(Error::ClosedParent { path: dir.to_owned(), mode, user: name.clone() });
        }
    }
    Ok(())
}
