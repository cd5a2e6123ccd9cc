//! Sorts a folder's files into manifest, migrations and seed, by their paths alone.
//!
//! Invariant: every path in the result is relative, plain and unique, and no two migrations have the same version.
//! A path is only a name here: nothing is ever opened by it.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;
use super::findings::{Findings, Place, shown};
use super::manifest::{Listed, MANIFEST};
use super::naming::{self, Convention, Name, Order};

const MAX_FILES: usize = 1_000;
/// Leaves room within a frame of 8 MiB for the escapes of JSON.
const MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_PATH_BYTES: usize = 200;

/// The files of a folder by path, without those that have no place in a blueprint.
pub(super) type Files<'a> = BTreeMap<&'a str, &'a SourceFile>;

/// A migration that is known by its name only.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) version: Option<String>,
    pub(super) title: String,
}

/// The files with good and unique paths; `None` if there are so many that reading them is refused.
pub(super) fn accept<'a>(files: &'a [SourceFile], findings: &mut Findings) -> Option<Files<'a>> {
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    if files.len() > MAX_FILES {
        let message = format!(
            "the folder has {} files, and {MAX_FILES} are allowed: upload only the blueprint",
            files.len()
        );
        findings.folder_error("too_many_files", message);
        return None;
    }
    if bytes > MAX_BYTES {
        let message = format!(
            "the files have {bytes} bytes together, and {MAX_BYTES} are allowed: load bulk data after provisioning"
        );
        findings.folder_error("too_large", message);
        return None;
    }
    let mut accepted = Files::new();
    for file in files {
        if let Some(fault) = path_fault(&file.path) {
            findings.file_error("bad_path", &file.path, format!("the path '{}' {fault}", shown(&file.path)));
        } else if accepted.contains_key(file.path.as_str()) {
            let message = format!("{} is in the upload twice: send each file once", file.path);
            findings.file_error("duplicate_path", &file.path, message);
        } else {
            accepted.insert(&file.path, file);
        }
    }
    Some(accepted)
}

fn path_fault(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/');
    if path.is_empty() {
        Some("is empty")
    } else if path.len() > MAX_PATH_BYTES {
        Some("is longer than 200 bytes: shorten it")
    } else if path.contains('\\') || path.contains(':') || shown(path) != path {
        Some("holds a character that is not allowed: use printable ones, no backslash and no colon")
    } else if path.starts_with('/') {
        Some("is absolute: use a path inside the blueprint's folder")
    } else if parts.clone().any(|part| part == "..") {
        Some("leaves the blueprint's folder: remove ..")
    } else if parts.clone().any(str::is_empty) || parts.clone().any(|part| part == ".") {
        Some("has an empty part: write it in its shortest form")
    } else if parts.any(|part| part.starts_with('.')) {
        Some("is hidden: hidden files are no part of a blueprint, so leave them out")
    } else {
        None
    }
}

/// The seed's files in the order of the manifest.
pub(super) fn seed<'a>(listed: &[Listed], files: &Files<'a>, findings: &mut Findings) -> Vec<Named<'a>> {
    let mut seed = Vec::new();
    for Listed { path, line } in listed {
        let place = Place { file: MANIFEST, line: *line };
        let name = shown(path);
        match files.get(path.as_str()) {
            Some(file) if path.ends_with(".sql") => {
                let title = file_name(path).trim_end_matches(".sql").replace('_', " ");
                seed.push(Named { file, version: None, title });
            }
            Some(_) => {
                findings.error("seed_file", place, format!("seed lists {name}, which is no .sql file"))
            }
            None => {
                let message = format!(
                    "seed lists {name}, which is not in the folder: add the file or remove the entry"
                );
                findings.error("seed_file", place, message);
            }
        }
    }
    seed
}

/// The migrations in the order in which they run.
pub(super) fn migrations<'a>(
    listed: &[Listed],
    files: &Files<'a>,
    findings: &mut Findings,
) -> Vec<Named<'a>> {
    let seed: BTreeSet<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
    let mut ordered: BTreeMap<Order, Named<'a>> = BTreeMap::new();
    let mut conventions: [Option<&str>; 2] = [None; 2];
    for (path, file) in files {
        if *path == MANIFEST || seed.contains(path) {
            continue;
        }
        match naming::read(file_name(path)) {
            Name::Migration { convention, order, version, title } => {
                let slot = usize::from(convention == Convention::Sqlx);
                conventions[slot].get_or_insert(path);
                if let Some(other) = ordered.get(&order) {
                    let message = format!(
                        "{path} has the same place in the order as {}: give each migration a version of its own",
                        other.file.path
                    );
                    findings.file_error("duplicate_version", path, message);
                } else {
                    ordered.insert(order, Named { file, version, title });
                }
            }
            Name::Undo => {
                let message =
                    format!("{path} is ignored: a tenant is undone as a whole, never by undo files");
                findings.file_warning("undo_ignored", path, message);
            }
            Name::Broken(fault) => {
                findings.file_error(
                    "unrecognised_file",
                    path,
                    format!("{path} cannot be placed in the order: {fault}"),
                );
            }
            Name::Unknown => unknown(path, findings),
        }
    }
    if let [Some(flyway), Some(sqlx)] = conventions {
        let message = format!(
            "{flyway} is named as for Flyway and {sqlx} as for sqlx, so their order is open: use one convention"
        );
        findings.file_error("mixed_conventions", sqlx, message);
    }
    if ordered.is_empty() {
        let message = "the folder holds no migration: add files named V1__title.sql or 0001_title.sql";
        findings.folder_error("no_migrations", message);
    }
    ordered.into_values().collect()
}

fn unknown(path: &str, findings: &mut Findings) {
    let lower = path.to_ascii_lowercase();
    let is_text =
        lower.ends_with(".md") || lower.ends_with(".txt") || file_name(&lower).starts_with("license");
    if lower.ends_with(".sql") {
        let message = format!(
            "{path} is no migration by its name and not in the manifest's seed: name it V1__title.sql, R__title.sql \
             or 0001_title.sql, or list it in seed"
        );
        findings.file_error("unrecognised_file", path, message);
    } else if !is_text {
        findings.file_warning(
            "file_ignored",
            path,
            format!("{path} is ignored: it is neither SQL nor the manifest"),
        );
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "tests/folder.rs"]
mod tests;
