//! Reading a blueprint's folder on the client's side.
//!
//! Invariant: only plain files of the folder itself and one level below it travel; no symbolic link is followed, and
//! nothing larger than the bound is read into memory.

use std::fs;
use std::path::{Path, PathBuf};

use tenantry_protocol::blueprint::{BlueprintUpload, UploadedFile};

use super::error::CliError;

const MANIFEST: &str = "blueprint.toml";
/// Of all files together; leaves room in a frame of 8 MiB for JSON's escapes.
const MAX_BYTES: u64 = 6 * 1024 * 1024;

/// The manifest and the SQL files, by path.
pub(super) fn read(folder: &Path) -> Result<BlueprintUpload, CliError> {
    let kind = fs::metadata(folder).map_err(|error| fault(folder, error.to_string()))?;
    if !kind.is_dir() {
        return Err(fault(
            folder,
            "it is not a folder; name the folder that holds blueprint.toml".to_owned(),
        ));
    }
    let mut paths = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir {
            paths.extend(entries(&entry.path)?.into_iter().filter(|inner| !inner.is_dir));
        } else {
            paths.push(entry);
        }
    }
    paths.retain(|entry| is_wanted(folder, &entry.path));
    if !paths.iter().any(|entry| entry.path == folder.join(MANIFEST)) {
        return Err(fault(
            folder,
            "there is no blueprint.toml in it; it names the blueprint, its version and its settings"
                .to_owned(),
        ));
    }
    let total: u64 = paths.iter().map(|entry| entry.bytes).sum();
    if total > MAX_BYTES {
        return Err(fault(
            folder,
            format!(
                "its files have {total} bytes in all, and {MAX_BYTES} are allowed; leave out what is no migration"
            ),
        ));
    }
    let mut files = Vec::with_capacity(paths.len());
    for entry in paths {
        files.push(UploadedFile { path: relative(folder, &entry.path)?, content: content(&entry.path)? });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(BlueprintUpload { files })
}

struct Entry {
    path: PathBuf,
    is_dir: bool,
    bytes: u64,
}

/// Plain files and folders, without dotfiles. Links and devices are left out: `DirEntry` does not follow them.
fn entries(folder: &Path) -> Result<Vec<Entry>, CliError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| fault(folder, error.to_string()))? {
        let entry = entry.map_err(|error| fault(folder, error.to_string()))?;
        let path = entry.path();
        let kind = entry.metadata().map_err(|error| fault(&path, error.to_string()))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && (kind.is_file() || kind.is_dir()) {
            found.push(Entry { path, is_dir: kind.is_dir(), bytes: kind.len() });
        }
    }
    Ok(found)
}

fn is_wanted(folder: &Path, path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sql") || path == folder.join(MANIFEST)
}

/// With `/` between its parts, as the wire wants it.
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
        let upload = read(folder.path()).unwrap();
        let paths: Vec<&str> = upload.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["V1__a.sql", "blueprint.toml", "seed/demo.sql"]);
    }

    #[test]
    fn each_kind_of_bad_folder_has_its_own_sentence() {
        let sentence = |path: &Path| read(path).unwrap_err().to_string();
        let bad = folder(&[("blueprint.toml", b"x"), ("V1__a.sql", b"select \xff")]);
        let text = sentence(bad.path());
        assert!(text.contains("V1__a.sql") && text.contains("byte 7 is wrong"), "{text}");
        assert!(sentence(&bad.path().join("V1__a.sql")).contains("not a folder"));
        assert!(sentence(folder(&[("V1__a.sql", b"x")]).path()).contains("no blueprint.toml"));
        let large = vec![b'x'; MAX_BYTES as usize];
        assert!(
            sentence(folder(&[("blueprint.toml", b"x"), ("V1__a.sql", &large)]).path()).contains("in all")
        );
    }
}
