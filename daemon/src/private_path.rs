//! Places that are the daemon's alone: the directories above a file, and the file itself.
//!
//! Invariant: below a directory that passed [`check`], nobody but root, the daemon's user and whom the caller names can put
//! anything in the way: not a file, not a link, not another directory in its place. Each error says which path it is about,
//! whose it is, and the command that mends it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::{Gid, Group, Uid, User, geteuid};

/// As many links as the kernel follows in one path.
const MOST_LINKS: u32 = 40;
const STICKY: u32 = 0o1000;
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

/// What the last directory of a path may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Closed,
    /// Everybody's, if it is sticky, as `/tmp` is: what is in it has an owner still, who alone can move it away.
    Sticky,
}

/// Refuses a directory that others than root, this user and `also` can change, and one below which they can. What does not
/// exist yet is made by the caller, in what was checked.
pub(crate) fn check(dir: &Path, also: Option<u32>) -> Result<(), PathError> {
    walk(dir, also, Last::Closed)
}

/// The same, where the directory itself may be one such as `/tmp`.
pub(crate) fn check_surroundings(dir: &Path) -> Result<(), PathError> {
    walk(dir, None, Last::Sticky)
}

/// Checks the directory, and makes what is missing of it, closed to all others.
pub(crate) fn make_directory(dir: &Path) -> io::Result<()> {
    check(dir, None)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Opens a file of the daemon's own, or makes it (0600); never through a link, and never one that others can write to.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let mut options = options.clone();
    // A pipe in its place must not hold up the daemon.
    options.mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    let not_a_file = || PathError::NotAFile { path: path.to_owned() };
    let file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(code) if code == nix::Error::ELOOP as i32 => not_a_file().into(),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_a_file().into());
    }
    require_trusted(path, &metadata, &trusted(None))?;
    if others_write(&metadata) {
        return Err(writable(path, &metadata).into());
    }
    Ok(file)
}

fn walk(path: &Path, also: Option<u32>, last: Last) -> Result<(), PathError> {
    let trusted = trusted(also);
    let mut at = PathBuf::from("/");
    let mut todo = Vec::new();
    push(&mut todo, path);
    look_at_directory(&at, &trusted, Last::Sticky)?;
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            // It was walked through on the way down.
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
            // In a directory that is everybody's, its owner can point it elsewhere.
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
        let here = if todo.is_empty() { last } else { Last::Sticky };
        look_at_directory(&next, &trusted, here)?;
        at = next;
    }
    Ok(())
}

/// The parts of a path, the first on top.
fn push(todo: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let parts: Vec<OsString> = parts.collect();
    todo.extend(parts.into_iter().rev());
}

fn look_at_directory(path: &Path, trusted: &[u32], last: Last) -> Result<(), PathError> {
    let metadata =
        fs::symlink_metadata(path).map_err(|source| PathError::Look { path: path.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(PathError::NotADirectory { path: path.to_owned() });
    }
    require_trusted(path, &metadata, trusted)?;
    let is_shared_out = last == Last::Sticky && metadata.mode() & STICKY != 0;
    if others_write(&metadata) && !is_shared_out { Err(writable(path, &metadata)) } else { Ok(()) }
}

fn trusted(also: Option<u32>) -> Vec<u32> {
    let unmapped = UNMAPPED.filter(|_| !is_root_known());
    [0, geteuid().as_raw()].into_iter().chain(also).chain(unmapped).collect()
}

/// In a user namespace that does not know root, what is root's belongs to the user that stands for all who are unknown.
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

/// `mallory (uid 1003)`
fn owner(metadata: &Metadata) -> String {
    let uid = metadata.uid();
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        _ => format!("uid {uid}"),
    }
}

fn others_write(metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_private_group(metadata))
}

/// Many systems give each user a group of the same name, with nobody else in it, and leave what is made open to that.
fn is_private_group(metadata: &Metadata) -> bool {
    let gid = Gid::from_raw(metadata.gid());
    let (Ok(Some(group)), Ok(Some(user))) =
        (Group::from_gid(gid), User::from_uid(Uid::from_raw(metadata.uid())))
    else {
        return false;
    };
    user.gid == gid && user.name == group.name && group.mem.iter().all(|member| *member == user.name)
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if text.chars().all(is_plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    const NOBODY: u32 = 65_534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(dir: &Path) -> String {
        check(dir, None).unwrap_err().to_string()
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused_wherever_it_is_on_the_way() {
        let root = tempfile::tempdir().unwrap();
        let (above, dir) = (root.path().join("above"), root.path().join("above/state"));
        make_directory(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        check(&dir, None).unwrap();
        for open in [&above, &dir] {
            set_mode(open, 0o777);
            let said = refusal(&dir);
            let wanted = format!("chmod go-w {}", open.display());
            assert!(said.contains("mode 0777") && said.contains(&wanted), "{said}");
            assert!(make_directory(&dir.join("new")).is_err());
            assert!(!dir.join("new").exists(), "nothing is made in it");
            set_mode(open, 0o755);
        }
        check(&dir.join("not/there/yet"), None).unwrap();
    }

    #[test]
    fn what_is_sticky_may_be_on_the_way_and_not_at_its_end() {
        let tmp = Path::new("/tmp");
        check(&tmp.join("not-there-yet"), None).unwrap();
        check_surroundings(tmp).unwrap();
        assert!(refusal(tmp).contains("mode 1777"));
    }

    #[test]
    fn a_directory_of_somebody_else_is_refused_unless_it_is_named() {
        if !geteuid().is_root() {
            // Only root can give a directory away; for others the root directory's own are the test.
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("theirs/state");
        make_directory(&dir).unwrap();
        chown(root.path().join("theirs"), Some(NOBODY), None).unwrap();
        let said = refusal(&dir);
        assert!(said.contains("(uid 65534)") && said.contains("`chown root "), "{said}");
        check(&dir, Some(NOBODY)).unwrap();
        let link = root.path().join("link");
        symlink("/", &link).unwrap();
        check(&link, None).unwrap();
        std::os::unix::fs::lchown(&link, Some(NOBODY), None).unwrap();
        assert!(refusal(&link).contains("(uid 65534)"));
    }

    #[test]
    fn a_link_is_followed_and_what_it_leads_to_is_checked() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::create_dir(root.path().join("closed")).unwrap();
        set_mode(&open, 0o777);
        symlink("closed/../open", root.path().join("link")).unwrap();
        assert!(refusal(&root.path().join("link/below")).contains("chmod go-w"));
        symlink("loop", root.path().join("loop")).unwrap();
        assert!(refusal(&root.path().join("loop")).contains("too many links"));
        fs::write(root.path().join("file"), "").unwrap();
        assert!(refusal(&root.path().join("file")).contains("not a directory"));
    }

    #[test]
    fn a_file_is_never_opened_through_a_link_and_nothing_that_is_none() {
        let root = tempfile::tempdir().unwrap();
        let (path, precious) = (root.path().join("lock"), root.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true);
        symlink(&precious, &path).unwrap();
        let said = open(&path, options).unwrap_err().to_string();
        assert!(said.contains("lock is not a regular file"), "{said}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(open(&path, OpenOptions::new().read(true)).is_err());
        fs::remove_file(&path).unwrap();
        open(&path, options).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        set_mode(&path, 0o602);
        assert!(open(&path, options).unwrap_err().to_string().contains("chmod go-w"));
    }

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted(Path::new("/var/lib/tenantry")), "/var/lib/tenantry");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
