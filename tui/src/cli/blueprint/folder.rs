//! Reading a blueprint's folder on the client's side.
//!
//! Invariant: each plain file below the folder is sent, refused or named. No symbolic link is followed, and nothing larger than the
//! bound is read into memory. Dotfiles belong to editors and to git, and are passed over.

mod code;

use std::fs;
use std::path::{Path, PathBuf};

use tenantry_protocol::blueprint::{BlueprintUpload, MAX_UPLOAD_BYTES, UploadedFile};
use tenantry_protocol::name::BlueprintName;

use code::is_code_of_a_migration;

use crate::cli::error::CliError;

pub(super) const MANIFEST: &str = "blueprint.toml";
/// What diesel keeps beside the SQL of a migration; the daemon reads `run_in_transaction` in it.
const DIESEL_METADATA: &str = "metadata.toml";
/// Which of the files drizzle runs, in which order.
const DRIZZLE_JOURNAL: &str = "meta/_journal.json";
/// What Rails writes beside its migrations in Ruby, with all that they made.
const RAILS_DUMP: &str = "structure.sql";
const MAX_BYTES: u64 = MAX_UPLOAD_BYTES as u64;
/// As many names as are helpful; the rest are counted.
const NAMES_SHOWN: usize = 5;
/// Deeper than the folders of any tool. A whole project that is named by mistake is not read.
const MOST_LEVELS: usize = 8;
const MOST_ENTRIES: usize = 20_000;
/// The manifest and the SQL files, by path.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) upload: BlueprintUpload,
    /// What was left out although its author may have meant it to run, each as a sentence.
    pub(super) warnings: Vec<String>,
}

pub(super) fn read(folder: &Path) -> Result<Folder, CliError> {
    read_with(folder, no_manifest)
}

/// The same of a folder that has no manifest yet. It is an error if there is one.
pub(super) fn read_without_manifest(folder: &Path) -> Result<Folder, CliError> {
    let manifest = folder.join(MANIFEST);
    if manifest.exists() {
        let problem = "it is there already; `tenantry blueprint check` says what it lacks";
        return Err(fault(&manifest, problem.to_owned()));
    }
    read_with(folder, |_| Ok(()))
}

fn read_with(
    folder: &Path,
    without_manifest: impl FnOnce(&Path) -> Result<(), CliError>,
) -> Result<Folder, CliError> {
    let kind = fs::metadata(folder).map_err(|error| fault(folder, error.to_string()))?;
    if !kind.is_dir() {
        return Err(fault(
            folder,
            "it is not a folder; name the folder that holds blueprint.toml".to_owned(),
        ));
    }
    let mut paths = below(folder)?;
    let has_dump = paths.iter().any(|entry| entry.path == folder.join(RAILS_DUMP));
    // Rails writes into its dump what the migrations in Ruby made.
    let is_missing = |path: &Path| {
        is_code_of_a_migration(path) && !(has_dump && path.extension().is_some_and(|of| of == "rb"))
    };
    let code: Vec<String> = named(folder, &paths, is_missing);
    if let Some(names) = list(&code) {
        return Err(fault(
            folder,
            format!(
                "{names}: a migration in a programming language cannot run here, and without it the others would make \
                 something else; write what it does in SQL, or move it out of the folder"
            ),
        ));
    }
    let mut warnings = Vec::new();
    let is_other = |path: &Path| !is_wanted(folder, path) && !is_about_the_folder(path);
    if let Some(names) = list(&named(folder, &paths, is_other)) {
        warnings.push(format!("left out: {names}: neither SQL nor what a tool says about it"));
    }
    paths.retain(|entry| is_wanted(folder, &entry.path));
    if !paths.iter().any(|entry| entry.path == folder.join(MANIFEST)) {
        without_manifest(folder)?;
    }
    let total: u64 = paths.iter().map(|entry| entry.bytes).sum();
    if total > MAX_BYTES {
        return Err(fault(
            folder,
            format!(
                "its files have {total} bytes in all, and {MAX_BYTES} are allowed; leave out what is no migration, and \
                 load bulk data after provisioning"
            ),
        ));
    }
    let mut files = Vec::with_capacity(paths.len());
    for entry in paths {
        files.push(UploadedFile { path: relative(folder, &entry.path)?, content: content(&entry.path)? });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Folder { upload: BlueprintUpload { files }, warnings })
}

struct FolderEntry {
    path: PathBuf,
    bytes: u64,
}

/// All plain files below a folder, without dotfiles. Links and devices are left out: `DirEntry` does not follow them.
fn below(folder: &Path) -> Result<Vec<FolderEntry>, CliError> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 1)];
    let mut seen = 0_usize;
    while let Some((inner, level)) = folders.pop() {
        for entry in fs::read_dir(&inner).map_err(|error| fault(&inner, error.to_string()))? {
            let entry = entry.map_err(|error| fault(&inner, error.to_string()))?;
            let path = entry.path();
            let kind = entry.metadata().map_err(|error| fault(&path, error.to_string()))?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            seen += 1;
            if seen > MOST_ENTRIES || level > MOST_LEVELS {
                let problem = format!(
                    "it has more than {MOST_ENTRIES} files or {MOST_LEVELS} levels; name the folder that has the migrations"
                );
                return Err(fault(folder, problem));
            }
            if kind.is_dir() && !is_hidden {
                folders.push((path, level + 1));
            } else if kind.is_file() && !is_hidden {
                files.push(FolderEntry { path, bytes: kind.len() });
            } else if kind.is_symlink() && !is_hidden && !is_about_the_folder(&path) {
                let problem = "it is a symbolic link, and none is followed; put the file itself there";
                return Err(fault(&path, problem.to_owned()));
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// The names of the files that are such ones, for messages.
fn named(folder: &Path, files: &[FolderEntry], is_such: impl Fn(&Path) -> bool) -> Vec<String> {
    files.iter().filter(|entry| is_such(&entry.path)).map(|entry| shown(folder, &entry.path)).collect()
}

fn is_wanted(folder: &Path, path: &Path) -> bool {
    let is_metadata = || {
        path.file_name().is_some_and(|name| name == DIESEL_METADATA)
            && path.parent() != Some(folder)
            && path.with_file_name("up.sql").is_file()
    };
    // What Flyway is told about one migration, in `V1__x.sql.conf`; the daemon reads `executeInTransaction` in it.
    let is_config = || {
        path.extension().is_some_and(|extension| extension == "conf")
            && path.with_extension("").extension().is_some_and(|extension| extension == "sql")
            && path.with_extension("").is_file()
    };
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        || is_config()
        || path == folder.join(MANIFEST)
        || path == folder.join(DRIZZLE_JOURNAL)
        || is_metadata()
}

/// What stands beside migrations and can be no part of them.
fn is_about_the_folder(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("").to_ascii_lowercase();
    let is_text = [".md", ".txt", ".rst", ".adoc"].iter().any(|end| name.ends_with(end));
    is_text || name.starts_with("license") || name.starts_with("readme") || name.starts_with("codeowners")
}

/// The first names of a list, and how many more there are; `None` if there are none.
pub(super) fn list(names: &[String]) -> Option<String> {
    let shown = &names[..names.len().min(NAMES_SHOWN)];
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
}

fn no_manifest(folder: &Path) -> Result<(), CliError> {
    let problem =
        format!("there is no {MANIFEST} in it; `tenantry blueprint init {}` writes one", folder.display());
    Err(fault(folder, problem))
}

/// What a blueprint of this folder may be called: the first name, from the folder on upwards, that tells more than what it holds.
pub(super) fn name_for(folder: &Path) -> String {
    const GENERAL: [&str; 14] = [
        "db",
        "database",
        "drizzle",
        "main",
        "migration",
        "migrations",
        "postgres",
        "postgresql",
        "prisma",
        "resources",
        "schema",
        "sql",
        "src",
        "supabase",
    ];
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let names = whole.ancestors().filter_map(|path| path.file_name()?.to_str()).map(|name| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        name.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
    });
    let mut usable =
        names.filter(|name| BlueprintName::parse(name).is_ok() && !GENERAL.contains(&name.as_str()));
    usable.next().unwrap_or_else(|| "my-product".to_owned())
}

/// For messages only.
fn shown(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// With `/` between its parts, as the protocol requires.
fn relative(folder: &Path, path: &Path) -> Result<String, CliError> {
    let parts: Option<Vec<&str>> = path
        .strip_prefix(folder)
        .ok()
        .and_then(|inner| inner.components().map(|part| part.as_os_str().to_str()).collect());
    parts
        .map(|parts| parts.join("/"))
        .ok_or_else(|| fault(path, "its name is not UTF-8; rename it".to_owned()))
}

fn content(path: &Path) -> Result<String, CliError> {
    let bytes = fs::read(path).map_err(|error| fault(path, error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault(path, "it grew while it was read; try again".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        fault(
            path,
            format!("it is not UTF-8: byte {} is wrong; save it as UTF-8", error.utf8_error().valid_up_to()),
        )
    })
}

pub(super) fn fault(path: &Path, problem: String) -> CliError {
    CliError::File { doing: "cannot read the blueprint", path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn paths(folder: &Folder) -> Vec<&str> {
        folder.upload.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn the_manifest_and_all_sql_travel_and_the_rest_is_named() {
        let folder = folder(&[
            ("blueprint.toml", b"name = 1"),
            ("V1__a.sql", b"select 1"),
            ("V3__c.SQL", b"select 1"),
            ("seed/demo.sql", b"select 2"),
            ("seed/deeper/too.sql", b"select 3"),
            ("README.md", b"hello"),
            ("atlas.sum", b"h1:x"),
            ("helper.js", b"1"),
            (".hidden.sql", b"select 4"),
            (".git/V9__x.sql", b"select 5"),
        ]);
        let read = read(folder.path()).unwrap();
        let wanted = ["V1__a.sql", "V3__c.SQL", "blueprint.toml", "seed/deeper/too.sql", "seed/demo.sql"];
        assert_eq!(paths(&read), wanted);
        assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
        assert!(read.warnings[0].starts_with("left out: atlas.sum, helper.js: "), "{:?}", read.warnings);
    }

    #[test]
    fn a_migration_in_a_programming_language_is_refused_by_name() {
        for code in [
            "00002_fill.go",
            "V2__b.java",
            "1700000000000_c.js",
            "db/R__d.py",
            "2_e/migration.ts",
            "3_ab_test.js",
        ] {
            let folder = folder(&[
                ("blueprint.toml", b"name = 1"),
                ("00001_a.sql", b"select 1"),
                (code, b"x"),
                ("embed.go", b"package migrations"),
            ]);
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("{code}: a migration in a programming language")), "{error}");
        }
    }

    #[test]
    fn a_link_is_not_followed_and_not_passed_over_either() {
        let folder = folder(&[("blueprint.toml", b"name = 1"), ("V1__a.sql", b"select 1")]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("V2__link.sql")).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("V2__link.sql") && error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn what_is_no_folder_of_migrations_comes_to_an_end() {
        let deep = format!("{}V1__a.sql", "x/".repeat(MOST_LEVELS + 1));
        let folder = folder(&[("blueprint.toml", b"name = 1"), (&deep, b"select 1")]);
        assert!(read(folder.path()).unwrap_err().to_string().contains("levels"));
    }

    #[test]
    fn what_diesel_says_of_a_migration_travels_with_it() {
        let folder = folder(&[
            ("blueprint.toml", b"name = 1"),
            ("metadata.toml", b"ours = 1"),
            ("2024-01-01-120000_a/up.sql", b"select 1"),
            ("2024-01-01-120000_a/metadata.toml", b"run_in_transaction = false"),
            ("seed/metadata.toml", b"ours = 1"),
        ]);
        let read = read(folder.path()).unwrap();
        let wanted = ["2024-01-01-120000_a/metadata.toml", "2024-01-01-120000_a/up.sql", "blueprint.toml"];
        assert_eq!(paths(&read), wanted);
    }

    #[test]
    fn what_flyway_says_of_a_migration_travels_with_it() {
        let folder = folder(&[
            ("blueprint.toml", b"name = 1"),
            ("V1__a.sql", b"select 1"),
            ("V1__a.sql.conf", b"executeInTransaction=false"),
            ("V2__b.sql.conf", b"executeInTransaction=false"),
            ("flyway.conf", b"url=x"),
        ]);
        let read = read(folder.path()).unwrap();
        assert_eq!(paths(&read), ["V1__a.sql", "V1__a.sql.conf", "blueprint.toml"]);
    }

    #[test]
    fn each_kind_of_bad_folder_has_its_own_sentence() {
        let sentence = |path: &Path| read(path).unwrap_err().to_string();
        let bad = folder(&[("blueprint.toml", b"x"), ("V1__a.sql", b"select \xff")]);
        let text = sentence(bad.path());
        assert!(text.contains("V1__a.sql") && text.contains("byte 7 is wrong"), "{text}");
        assert!(sentence(&bad.path().join("V1__a.sql")).contains("not a folder"));
        let large = vec![b'x'; MAX_BYTES as usize];
        assert!(
            sentence(folder(&[("blueprint.toml", b"x"), ("V1__a.sql", &large)]).path()).contains("in all")
        );
    }

    #[test]
    fn without_a_manifest_the_command_that_writes_one_is_given() {
        let parent = folder(&[("My_Shop/V1__a.sql", b"x")]);
        let text = read(&parent.path().join("My_Shop")).unwrap_err().to_string();
        assert!(text.contains("no blueprint.toml") && text.contains("tenantry blueprint init"), "{text}");
    }

    #[test]
    fn a_blueprint_is_called_by_the_first_name_that_tells_what_it_is() {
        let name = |path: &str| name_for(Path::new(path));
        assert_eq!(name("/srv/My_Shop/db/migrations"), "my-shop");
        assert_eq!(name("/srv/billing.api/src/main/resources/migration"), "billing-api");
        assert_eq!(name("/1/db"), "my-product");
    }
}
