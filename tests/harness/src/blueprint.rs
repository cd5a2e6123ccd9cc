//! Blueprint folders that tests write, one file after the other.

use std::path::{Path, PathBuf};

use super::binaries::project_dir;

/// A folder with a manifest and migrations, which are numbered in the order in which they are added.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    files: u32,
}

impl Folder {
    /// A blueprint of that name and version, without a migration yet.
    pub fn new(parent: &Path, name: &str, version: &str) -> Self {
        let dir = parent.join(format!("{name}-{version}"));
        std::fs::create_dir(&dir).unwrap();
        let manifest = format!(
            "name = \"{name}\"\nversion = \"{version}\"\ntitle = \"Made by a test\"\ntenancy = \"schema\"\n"
        );
        std::fs::write(dir.join("blueprint.toml"), manifest).unwrap();
        Self { dir, files: 0 }
    }

    /// The first version of the built-in blueprint under another name, for tenants with databases of their own.
    pub fn projects_in_databases(parent: &Path) -> Self {
        Self::copied(parent.join("projects-in-databases"), &["projects"])
    }

    /// All versions of it, the earliest first.
    pub fn all_projects_in_databases(parent: &Path) -> [Self; 3] {
        let folders = ["projects", "projects-1.1", "projects-2.0"];
        [1, 2, 3].map(|last| Self::copied(parent.join(format!("in-databases-{last}")), &folders[..last]))
    }

    /// The files of these folders, of which a later one has what differs.
    fn copied(dir: PathBuf, folders: &[&str]) -> Self {
        let this = Self { dir, files: 0 };
        std::fs::create_dir_all(this.dir.join("seed")).unwrap();
        let parts = folders.iter().flat_map(|folder| [(folder, ""), (folder, "seed")]);
        for (folder, part) in parts {
            let from = project_dir().join("migrations/blueprints").join(folder).join(part);
            let Ok(entries) = std::fs::read_dir(from) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
                std::fs::copy(&path, this.dir.join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
        this.say("name = \"projects\"", "name = \"projects-in-databases\"").in_databases()
    }

    /// The blueprint needs an extension.
    pub fn extension(self, name: &str) -> Self {
        self.say("tenancy =", &format!("extensions = [\"{name}\"]\ntenancy ="))
    }

    /// Each tenant gets a database of its own.
    pub fn in_databases(self) -> Self {
        self.say("tenancy = \"schema\"", "tenancy = \"database\"")
    }

    /// Tenants share their tables.
    pub fn shared(parent: &Path, name: &str, version: &str) -> Self {
        Self::new(parent, name, version).say("tenancy = \"schema\"", "tenancy = \"shared\"")
    }

    /// The version takes something away, from tenants that have `after`.
    pub fn contract(self, after: &str, soak: Option<&str>) -> Self {
        let soak = soak.map(|soak| format!("soak = \"{soak}\"\n")).unwrap_or_default();
        self.say("tenancy =", &format!("phase = \"contract\"\nafter = \"{after}\"\n{soak}tenancy ="))
    }

    /// Changes a line of the manifest.
    /// Puts another text into the manifest.
    pub fn say(self, before: &str, after: &str) -> Self {
        let manifest = self.dir.join("blueprint.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        assert!(text.contains(before), "{text}");
        std::fs::write(manifest, text.replace(before, after)).unwrap();
        self
    }

    /// Adds `V<n>__<title>.sql`.
    pub fn migration(mut self, title: &str, sql: &str) -> Self {
        self.files += 1;
        std::fs::write(self.dir.join(format!("V{}__{title}.sql", self.files)), sql).unwrap();
        self
    }

    /// Adds `U<n>__<title>.sql`, which takes the newest migration back.
    pub fn undo(self, title: &str, sql: &str) -> Self {
        std::fs::write(self.dir.join(format!("U{}__{title}.sql", self.files)), sql).unwrap();
        self
    }

    /// Adds `V<n>__<title>.sql`, which runs outside the transaction.
    pub fn outside(self, title: &str, sql: &str) -> Self {
        let this = self.migration(title, sql);
        let mark = this.dir.join(format!("V{}__{title}.sql.conf", this.files));
        std::fs::write(mark, "executeInTransaction=false\n").unwrap();
        this
    }

    /// Adds `R__<title>.sql`, which runs again whenever it differs.
    pub fn repeatable(self, title: &str, sql: &str) -> Self {
        std::fs::write(self.dir.join(format!("R__{title}.sql")), sql).unwrap();
        self
    }

    /// Adds a file of data that is loaded on request, after the migrations.
    pub fn seed(self, sql: &str) -> Self {
        std::fs::create_dir(self.dir.join("seed")).unwrap();
        std::fs::write(self.dir.join("seed/data.sql"), sql).unwrap();
        let manifest = self.dir.join("blueprint.toml");
        let text = std::fs::read_to_string(&manifest).unwrap() + "seed = [\"seed/data.sql\"]\n";
        std::fs::write(manifest, text).unwrap();
        self
    }

    /// Adds a numeric setting that a tenant can be given.
    pub fn setting(self, name: &str, default: i64) -> Self {
        let manifest = self.dir.join("blueprint.toml");
        let setting =
            format!("\n[settings.{name}]\ntitle = \"{name}\"\ndefault = {default}\nmin = 1\nmax = 200\n");
        let text = std::fs::read_to_string(&manifest).unwrap() + &setting;
        std::fs::write(manifest, text).unwrap();
        self
    }

    pub fn path(&self) -> &str {
        self.dir.to_str().unwrap()
    }
}
