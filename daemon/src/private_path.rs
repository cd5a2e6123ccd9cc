//! Places that belong to the daemon alone: the directories above a file, and the file itself.
//!
//! Invariant: below a directory that passed [`check`], only root, the daemon's user and the user that the caller names
//! can put anything in the way: a file, a link, or another directory. Each error names the path, its owner, and the
//! command that fixes it.

mod private_group;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Uid, User, geteuid};

use private_group::is_private_group;

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;
/// Linux's overflow user.
const UNMAPPED: Option<u32> = Some(65_534);

#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error(
        "{} belongs to {owner}, who could change what the daemon keeps there: give it to the daemon's user (`chown {to} {}`) \
         or choose another place",
        path.display(),
        quoted(path)
    )]
    Owner { path: PathBuf, owner: String, to: String },
    #[error(
        "{} belongs to {owner} and can be written to by others (mode {mode:04o}), who could change what the daemon keeps \
         there: close it to them (`chmod go-w {}`) or choose another place",
        path.display(),
        quoted(path)
    )]
    Writable { path: PathBuf, owner: String, mode: u32 },
    #[error("{} is not a regular file: move it away, or choose another place", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is not a directory: move it away, or choose another place", path.display())]
    NotADirectory { path: PathBuf },
    #[error("{} leads through too many links: choose another place", path.display())]
    TooManyLinks { path: PathBuf },
    #[error("{} can't be looked at ({source}): give the daemon's user the right to", path.display())]
    Look { path: PathBuf, source: io::Error },
}

impl From<PathError> for io::Error {
    fn from(error: PathError) -> Self {
        let kind = match &error {
            PathError::Look { source, .. } => source.kind(),
            _ => io::ErrorKind::PermissionDenied,
        };
        Self::new(kind, error)
    }
}

/// The rules for the last directory of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastDirectory {
    Closed,
    /// It may be open to everybody if it is sticky, as `/tmp` is: each file in it still has an owner, who alone can move
    /// it away.
    Sticky,
}

/// Which groups may write to a directory on the way, and to a file that an administrator made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Groups {
    /// A group with its owner as the only member, to which many systems leave new files open.
    Private,
    /// On some systems `/var/log` belongs to a group.
    Any,
}

/// Refuses a directory if users other than root, this user and `also` can change it or a directory above it. If the
/// directory does not exist yet, the caller creates it in the part that was checked.
pub(crate) fn check(dir: &Path, also: Option<u32>) -> Result<(), PathError> {
    walk(dir, also, LastDirectory::Closed, Groups::Private)
}

/// The same, except that the directory itself may be one such as `/tmp`.
pub(crate) fn check_surroundings(dir: &Path) -> Result<(), PathError> {
    walk(dir, None, LastDirectory::Sticky, Groups::Private)
}

/// The same for a directory of logs: it belongs to the daemon alone, but its parent directories need not.
pub(crate) fn check_logs(dir: &Path) -> Result<(), PathError> {
    walk(dir, None, LastDirectory::Closed, Groups::Any)
}

/// Refuses a file that an administrator provides for the daemon to read, if others can change it or replace it. The
/// administrator may provide it through a link. `metadata` is that of the opened file.
pub(crate) fn check_given(path: &Path, metadata: &Metadata) -> Result<(), PathError> {
    require_trusted(path, metadata, &trusted(None))?;
    if others_write(path, metadata, Groups::Private) {
        return Err(writable(path, metadata));
    }
    let look = |source| PathError::Look { path: path.to_owned(), source };
    let (named, real) = (std::path::absolute(path).map_err(look)?, fs::canonicalize(path).map_err(look)?);
    [&named, &real].into_iter().filter_map(|path| path.parent()).try_for_each(check_surroundings)
}

/// Refuses programs that others can change. Missing programs are not reported here, but where they are needed.
pub(crate) fn check_programs(dir: &Path, names: &[&str]) -> Result<(), PathError> {
    check(dir, None)?;
    for path in names.iter().map(|name| dir.join(name)) {
        let Ok(real) = fs::canonicalize(&path) else { continue };
        real.parent().map_or(Ok(()), |dir| check(dir, None))?;
        let metadata =
            fs::metadata(&real).map_err(|source| PathError::Look { path: real.clone(), source })?;
        check_file(&real, &metadata)?;
    }
    Ok(())
}

/// Checks the directory, and creates the missing parts of it, closed to all others.
pub(crate) fn make_directory(dir: &Path) -> io::Result<()> {
    check(dir, None)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens a file of the daemon's own, or creates it (0600); never through a link, and never one that others can write to.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let file = open_elsewhere(path, options)?;
    check_file(path, &file.metadata()?)?;
    Ok(file)
}

/// The same on another machine's disk, where that machine determines the owners.
pub(crate) fn open_elsewhere(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let mut options = options.clone();
    // If there is a pipe in its place, it must not block the daemon.
    options.mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let not_a_file = || PathError::NotAFile { path: path.to_owned() };
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == nix::Error::ELOOP as i32 => not_a_file().into(),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(not_a_file().into());
    }
    Ok(file)
}

/// A file of the daemon's own, or one that it runs.
fn check_file(path: &Path, metadata: &Metadata) -> Result<(), PathError> {
    require_trusted(path, metadata, &trusted(None))?;
    if metadata.mode() & OTHERS_WRITE != 0 { Err(writable(path, metadata)) } else { Ok(()) }
}

fn walk(path: &Path, also: Option<u32>, last: LastDirectory, groups: Groups) -> Result<(), PathError> {
    let trusted = trusted(also);
    let mut at = PathBuf::from("/");
    let mut todo = Vec::new();
    push(&mut todo, path);
    look_at_directory(&at, &trusted, LastDirectory::Sticky, groups)?;
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            // Its parent was already checked on the way down.
            at.pop();
            continue;
        }
        let next = at.join(name);
        let metadata = match fs::symlink_metadata(&next) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(PathError::Look { path: next, source }),
        };
        if metadata.is_symlink() {
            // In a directory that is open to everybody, the link's owner can point it elsewhere.
            require_trusted(&next, &metadata, &trusted)?;
            links += 1;
            if links > MOST_LINKS {
                return Err(PathError::TooManyLinks { path: path.to_owned() });
            }
            let target =
                fs::read_link(&next).map_err(|source| PathError::Look { path: next.clone(), source })?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            push(&mut todo, &target);
            continue;
        }
        let here = if todo.is_empty() { last } else { LastDirectory::Sticky };
        look_at_directory(&next, &trusted, here, groups)?;
        at = next;
    }
    Ok(())
}

/// Pushes the parts of a path, with the first on top.
fn push(todo: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let parts: Vec<OsString> = parts.collect();
    todo.extend(parts.into_iter().rev());
}

fn look_at_directory(
    path: &Path,
    trusted: &[u32],
    last: LastDirectory,
    groups: Groups,
) -> Result<(), PathError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|source| PathError::Look { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(PathError::NotADirectory { path: path.to_owned() });
    }
    require_trusted(path, &metadata, trusted)?;
    let is_open = match last {
        LastDirectory::Closed => metadata.mode() & OTHERS_WRITE != 0,
        LastDirectory::Sticky => metadata.mode() & STICKY == 0 && others_write(path, &metadata, groups),
    };
    if is_open { Err(writable(path, &metadata)) } else { Ok(()) }
}

fn trusted(also: Option<u32>) -> Vec<u32> {
    let unmapped = UNMAPPED.filter(|_| !is_root_known());
    [0, geteuid().as_raw()].into_iter().chain(also).chain(unmapped).collect()
}

/// In a user namespace that does not map root, root's files belong to the user that stands for all unmapped users.
fn is_root_known() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.is_empty() || map.lines().any(|line| line.split_whitespace().next() == Some("0"))
}

fn require_trusted(path: &Path, metadata: &Metadata, trusted: &[u32]) -> Result<(), PathError> {
    if trusted.contains(&metadata.uid()) {
        return Ok(());
    }
    let name = |uid: Uid| User::from_uid(uid).ok().flatten().map(|user| user.name);
    let me = geteuid();
    Err(PathError::Owner {
        path: path.to_owned(),
        owner: owner(metadata),
        to: name(me).unwrap_or_else(|| me.to_string()),
    })
}

fn writable(path: &Path, metadata: &Metadata) -> PathError {
    let mode = metadata.mode() & 0o7777;
    PathError::Writable { path: path.to_owned(), owner: owner(metadata), mode }
}

/// For example `mallory (uid 1003)`.
fn owner(metadata: &Metadata) -> String {
    let uid = metadata.uid();
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        _ => format!("uid {uid}"),
    }
}

fn others_write(path: &Path, metadata: &Metadata, groups: Groups) -> bool {
    let mode = metadata.mode();
    let is_groups = groups == Groups::Private && mode & 0o020 != 0 && !is_private_group(path, metadata);
    mode & 0o002 != 0 || is_groups
}

/// Quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
