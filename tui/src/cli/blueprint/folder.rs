//! Reading a blueprint's folder on the client's side.
//!
//! Invariant: only plain files of the folder itself and one level below it are sent. No symbolic link is followed, and
//! nothing larger than the bound is read into memory. A warning names what cannot be sent but looks as if it were meant to
//! be.

use std::fs;
use std::path::{Path, PathBuf};

use tenantry_protocol::blueprint::{BlueprintUpload, MAX_UPLOAD_BYTES, UploadedFile};
use tenantry_protocol::name::BlueprintName;

use crate::cli::error::CliError;

const MANIFEST: &str = "blueprint.toml";
/// What diesel keeps beside the SQL of a migration; the daemon reads `run_in_transaction` in it.
const DIESEL_METADATA: &str = "metadata.toml";
const MAX_BYTES: u64 = MAX_UPLOAD_BYTES as u64;
/// As many names as are helpful; the rest are counted.
const NAMES_SHOWN: usize = 5;

/// The manifest and the SQL files, by path.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) upload: BlueprintUpload,
    /// What was left out although its author may have meant it to run, each as a sentence.
    pub(super) warnings: Vec<String>,
}

pub(super) fn read(folder: &Path) -> Result<Folder, CliError> {
    let kind = fs::metadata(folder).map_err(|error| fault(folder, error.to_string()))?;
    if !kind.is_dir() {
        return Err(fault(
            folder,
            "it is not a folder; name the folder that holds blueprint.toml".to_owned(),
        ));
    }
    let mut paths = Vec::new();
    let mut deeper = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir {
            let (folders, files): (Vec<_>, Vec<_>) =
                entries(&entry.path)?.into_iter().partition(|inner| inner.is_dir);
            paths.extend(files);
            deeper.extend(folders);
        } else {
            paths.push(entry);
        }
    }
    let mut warnings = Vec::new();
    let deeper: Vec<String> = deeper.iter().map(|entry| format!("{}/", shown(folder, &entry.path))).collect();
    warnings.extend(left_out(
        deeper,
        "folders are read one level deep; move its files up if they are migrations",
    ));
    let go = paths.iter().filter(|entry| is_go_migration(&entry.path));
    let go = go.map(|entry| shown(folder, &entry.path)).collect();
    warnings.extend(left_out(go, "a migration written in Go cannot run here; write what it does in SQL"));
    paths.retain(|entry| is_wanted(folder, &entry.path));
    if !paths.iter().any(|entry| entry.path == folder.join(MANIFEST)) {
        return Err(no_manifest(folder));
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
    is_dir: bool,
    bytes: u64,
}

/// Plain files and folders, without dotfiles. Links and devices are left out: `DirEntry` does not follow them.
fn entries(folder: &Path) -> Result<Vec<FolderEntry>, CliError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| fault(folder, error.to_string()))? {
        let entry = entry.map_err(|error| fault(folder, error.to_string()))?;
        let path = entry.path();
        let kind = entry.metadata().map_err(|error| fault(&path, error.to_string()))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && (kind.is_file() || kind.is_dir()) {
            found.push(FolderEntry { path, is_dir: kind.is_dir(), bytes: kind.len() });
        }
    }
    Ok(found)
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
    path.extension().is_some_and(|extension| extension == "sql")
        || is_config()
        || path == folder.join(MANIFEST)
        || is_metadata()
}

/// The way goose names them: a number, an underscore, a title.
fn is_go_migration(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let rest = stem.trim_start_matches(|c: char| c.is_ascii_digit());
    path.extension().is_some_and(|extension| extension == "go")
        && rest.len() < stem.len()
        && rest.starts_with('_')
}

/// One sentence about all of them, or `None` if there are none.
fn left_out(mut names: Vec<String>, why: &str) -> Option<String> {
    names.sort();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("left out: {}{more}: {why}", names.join(", ")))
}

/// Says what to save, ready to be pasted.
fn no_manifest(folder: &Path) -> CliError {
    let folder_name = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let folder_name = folder_name.file_name().and_then(|name| name.to_str()).unwrap_or("").to_lowercase();
    let name = folder_name.replace(['_', ' ', '.'], "-");
    let name = match BlueprintName::parse(&name) {
        Ok(name) => name.to_string(),
        Err(_) => "my-product".to_owned(),
    };
    let manifest = format!(
        "name = \"{name}\"\nversion = \"1.0\"\ntitle = \"What people call it\"\ntenancy = \"schema\""
    );
    let path = folder.join(MANIFEST);
    fault(
        folder,
        format!(
            "there is no {MANIFEST} in it; save these lines as {} and try again:\n{manifest}",
            path.display()
        ),
    )
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

fn fault(path: &Path, problem: String) -> CliError {
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
    fn only_the_manifest_and_sql_one_level_deep_travel() {
        let folder = folder(&[
            ("blueprint.toml", b"name = 1"),
            ("V1__a.sql", b"select 1"),
            ("seed/demo.sql", b"select 2"),
            ("seed/deeper/no.sql", b"select 3"),
            ("README.md", b"hello"),
            (".hidden.sql", b"select 4"),
        ]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("V2__link.sql")).unwrap();
        let read = read(folder.path()).unwrap();
        assert_eq!(paths(&read), ["V1__a.sql", "blueprint.toml", "seed/demo.sql"]);
        assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
        assert!(read.warnings[0].starts_with("left out: seed/deeper/: "), "{:?}", read.warnings);
    }

    #[test]
    fn a_migration_in_go_is_named_and_other_go_is_not() {
        let folder = folder(&[
            ("blueprint.toml", b"name = 1"),
            ("00001_a.sql", b"select 1"),
            ("00002_fill.go", b"package migrations"),
            ("embed.go", b"package migrations"),
        ]);
        let read = read(folder.path()).unwrap();
        assert_eq!(paths(&read), ["00001_a.sql", "blueprint.toml"]);
        assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
        assert!(read.warnings[0].contains("00002_fill.go: "), "{:?}", read.warnings);
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
    fn without_a_manifest_the_lines_to_save_are_given() {
        let parent = folder(&[("My_Shop/V1__a.sql", b"x"), ("1/V1__a.sql", b"x")]);
        let sentence = |name: &str| read(&parent.path().join(name)).unwrap_err().to_string();
        let text = sentence("My_Shop");
        assert!(text.contains("no blueprint.toml") && text.contains("My_Shop/blueprint.toml"), "{text}");
        let lines =
            "name = \"my-shop\"\nversion = \"1.0\"\ntitle = \"What people call it\"\ntenancy = \"schema\"";
        assert!(text.ends_with(lines), "{text}");
        assert!(sentence("1").contains("name = \"my-product\""));
    }
}
