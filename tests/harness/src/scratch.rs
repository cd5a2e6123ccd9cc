//! Temporary folders: where they are, a folder for a test without a cluster, and which processes still use it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::reaper::Reaper;

/// Where temporary folders are made: in `TENANTRY_TEST_ROOT`, or in `/tmp`. Not in `TMPDIR`, which can be too long for a
/// socket. Measurements use a disk, whatever the tests run on.
pub fn root() -> PathBuf {
    std::env::var_os("TENANTRY_TEST_ROOT").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

/// A folder that every user can pass through, with a short path; removed with the test or its process.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _reaper: Reaper,
}

impl Scratch {
    pub fn new() -> Self {
        let path = tempfile::Builder::new().prefix("tns-").tempdir_in(root()).unwrap().keep();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let reaper = Reaper::watch(&path.join("state/cluster/data"), &path);
        Self { path, _reaper: reaper }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.join(name).to_str().unwrap().to_owned()
    }

    /// A folder in it for one program's temporary files.
    pub fn make_dir(&self, name: &str) -> PathBuf {
        let dir = self.join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, Permissions::from_mode(0o1777)).unwrap();
        dir
    }

    /// Command lines of processes that were started with a path in this folder, as an argument or in the environment.
    pub fn processes(&self) -> Vec<String> {
        let needle = self.path.to_str().unwrap();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
                continue;
            }
            // A process that ends meanwhile, or belongs to another user, cannot be read.
            let read = |file| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let show = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', " ");
            let (command, environment) = (show(read("cmdline")), show(read("environ")));
            let mine = command.starts_with("sh -c") && command.contains("reaper");
            if !mine && (command.contains(needle) || environment.contains(needle)) {
                found.push(format!("{} {command}", name.display()));
            }
        }
        found
    }
}

/// The names in a folder.
pub fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .collect();
    names.sort();
    names
}
