//! Blueprint folders that tests write, one file after the other.

use std::path::{Path, PathBuf};

/// A folder with a manifest and migrations, numbered in the order they are added.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    files: u32,
}

impl Folder {
    /// A blueprint of that name and version with no migration yet.
    pub(crate) fn new(parent: &Path, name: &str, version: &str) -> Self {
        let dir = parent.join(format!("{name}-{version}"));
        std::fs::create_dir(&dir).unwrap();
        let manifest = format!(
            "name = \"{name}\"\nversion = \"{version}\"\ntitle = \"Made by a test\"\ntenancy = \"schema\"\n"
        );
        std::fs::write(dir.join("blueprint.toml"), manifest).unwrap();
        Self { dir, files: 0 }
    }

    /// Adds `V<n>__<title>.sql`.
    pub(crate) fn migration(mut self, title: &str, sql: &str) -> Self {
        self.files += 1;
        std::fs::write(self.dir.join(format!("V{}__{title}.sql", self.files)), sql).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }
}
