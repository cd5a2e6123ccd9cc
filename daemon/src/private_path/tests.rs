//! Places that are safe and places that are not.

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
fn what_is_the_daemons_alone_is_closed_to_the_owners_own_group_too() {
    let root = tempfile::tempdir().unwrap();
    let (above, dir) = (root.path().join("above"), root.path().join("above/state"));
    make_directory(&dir).unwrap();
    set_mode(&dir, 0o770);
    assert!(refusal(&dir).contains("mode 0770"));
    assert!(check_logs(&dir).is_err());
    set_mode(&dir, 0o700);
    set_mode(&above, 0o770);
    check_logs(&dir).unwrap();
    set_mode(&above, 0o777);
    assert!(check_logs(&dir).is_err(), "everybody is no group");
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
