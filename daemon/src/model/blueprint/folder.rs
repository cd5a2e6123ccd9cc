//! Sorts a folder's files into manifest, migrations and seed.
//!
//! Invariant: every path in the result is relative, plain and unique, and no two migrations have the same version. A path
//! is only a name here: no file is ever opened with it. This module must not look at the SQL.

mod companion;
mod dialects;
mod found;
mod journal;
mod made;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenantry_protocol::blueprint::MAX_UPLOAD_BYTES;

use super::SourceFile;
use super::convention::Convention;
use super::findings::{FileLine, Findings, shown};
use super::manifest::{Listed, MANIFEST, Manifest};
use super::naming::{self, MigrationOrder, Name, Shape};
use super::placeholders::{self, Unfilled};
use super::sections::Sections;
use found::{FoundFile, by_journal, convention};
use journal::JOURNAL;
use made::made_by;

/// Some tools have eight for each migration, two for each kind of database.
const MAX_FILES: usize = 5_000;
const MAX_PATH_BYTES: usize = 200;

/// The files of a folder by path, without those that do not belong to a blueprint.
pub(super) type Files<'a> = BTreeMap<&'a str, &'a SourceFile>;

/// A migration of which only the name has been read.
#[derive(Debug, Clone)]
pub(super) struct Named<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) version: Option<String>,
    pub(super) title: String,
    /// How the file is divided into up and down, if it is.
    pub(super) sections: Option<Sections>,
    /// The tool that the folder was written for, if it is known; none for the seed.
    pub(super) convention: Option<Convention>,
    /// The file beside it that takes it out of the transaction.
    pub(super) marked_by: Option<&'a SourceFile>,
    /// The file beside it that takes it back.
    pub(super) undone_by: Option<&'a SourceFile>,
    /// The application's schemas, whose place the tenant's takes.
    pub(super) schemas: &'a [String],
    /// The schemas that files of the folder make.
    pub(super) made: Arc<BTreeSet<String>>,
    /// The tables that they make, or rename something to; none is known of the seed.
    pub(super) tables: Option<Arc<BTreeSet<String>>>,
    /// The values of the placeholders in it, for tools that have some.
    pub(super) placeholders: Option<&'a BTreeMap<String, String>>,
}

impl Named<'_> {
    /// The text of this file, or of the one that takes it back, with the values of its placeholders.
    pub(super) fn filled_in<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Vec<Unfilled<'t>>> {
        match self.placeholders {
            Some(values) => placeholders::fill_in(text, values).map(Cow::Owned),
            None => Ok(Cow::Borrowed(text)),
        }
    }
}

/// The files with valid and unique paths; `None` if there are too many of them to read.
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
    if bytes > MAX_UPLOAD_BYTES {
        let message = format!(
            "the files have {bytes} bytes together, and {MAX_UPLOAD_BYTES} are allowed: load bulk data after provisioning"
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

/// The file that says which migrations there are, if the folder has one.
pub(super) fn journal<'a>(files: &Files<'a>) -> Option<&'a SourceFile> {
    files.get(JOURNAL).copied()
}

/// The seed's files in the order of the manifest.
pub(super) fn seed<'a>(manifest: &'a Manifest, files: &Files<'a>, findings: &mut Findings) -> Vec<Named<'a>> {
    let mut seed = Vec::new();
    for Listed { path, line } in &manifest.seed {
        let place = FileLine { file: MANIFEST, line: *line };
        let name = shown(path);
        match files.get(path.as_str()) {
            Some(file) if path.ends_with(".sql") => {
                let title = file_name(path).trim_end_matches(".sql").replace('_', " ");
                seed.push(Named {
                    file,
                    version: None,
                    title,
                    sections: None,
                    convention: None,
                    marked_by: None,
                    undone_by: None,
                    schemas: &manifest.schemas,
                    made: Arc::default(),
                    tables: None,
                    placeholders: None,
                });
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
    manifest: &'a Manifest,
    files: &Files<'a>,
    findings: &mut Findings,
) -> Vec<Named<'a>> {
    let seed: BTreeSet<&str> = manifest.seed.iter().map(|entry| entry.path.as_str()).collect();
    let files = &dialects::keep_ours(files, findings);
    let names = dialects::Names::of(files, manifest.convention);
    let journal = files.get(JOURNAL).and_then(|file| journal::read(file, findings));
    let mut found = Vec::new();
    let mut strangers = Vec::new();
    let mut undo = Vec::new();
    let mut baselines = Vec::new();
    let mut companions = BTreeMap::new();
    for (path, file) in
        files.iter().filter(|(path, _)| ![MANIFEST, JOURNAL].contains(*path) && !seed.contains(*path))
    {
        let name = match manifest.convention {
            Some(Convention::Refinery) => naming::read_for_refinery(path),
            _ => naming::read(names.read_as(path).as_deref().unwrap_or(path)),
        };
        match name {
            Name::Migration { shape, order, version, title } => {
                found.push(FoundFile::new(path, file, shape, order, version, title));
            }
            Name::Baseline { order, version, title } => {
                baselines.push(FoundFile::new(path, file, Shape::Flyway, order, version, title));
            }
            Name::Undo { shape, order } => undo.push((*file, shape, order)),
            Name::Broken(fault) => {
                let message = format!("{path} cannot be placed in the order: {fault}");
                findings.file_error("unrecognised_file", path, message);
            }
            Name::Unknown => match companion::subject(path) {
                Some((sql, shape)) => _ = companions.insert(sql, (*file, shape)),
                None => strangers.push(*path),
            },
        }
    }
    found::order_by_folders(&mut found, &mut undo, findings);
    found::begin_with_a_baseline(baselines, &mut found, &mut undo, findings);
    if found.is_empty() && matches!(manifest.convention, None | Some(Convention::Dump)) {
        found.extend(found::dump(&mut strangers, files));
    }
    let convention = match (&journal, manifest.convention) {
        (Some(journal), None | Some(Convention::Drizzle)) => {
            by_journal(journal, &mut found, findings);
            Some(Convention::Drizzle)
        }
        (_, said) => convention(said, &found, findings),
    };
    if files.contains_key(JOURNAL) && convention != Some(Convention::Drizzle) {
        unknown(JOURNAL, convention, findings);
    }
    strangers.into_iter().for_each(|path| unknown(path, convention, findings));
    give_back(undo, &mut found, findings);
    if found.is_empty() {
        let message = "the folder holds no migration: add files named V1__title.sql or 0001_title.sql";
        findings.folder_error("no_migrations", message);
    }
    mark(&mut found, companions, findings);
    in_order(found, convention, manifest, findings)
}

/// Takes migrations out of the transaction if their companion files say so.
fn mark<'a>(
    found: &mut [FoundFile<'a>],
    companions: BTreeMap<String, (&'a SourceFile, Shape)>,
    findings: &mut Findings,
) {
    for (sql, (companion, shape)) in companions {
        let is_subject =
            |file: &&mut FoundFile<'a>| file.evidence.path == sql && file.evidence.shape == shape;
        match found.iter_mut().find(is_subject) {
            Some(file) if companion::takes_out(companion, shape, findings) => {
                file.marked_by = Some(companion)
            }
            Some(_) => {}
            None => unknown(&companion.path, None, findings),
        }
    }
}

fn in_order<'a>(
    found: Vec<FoundFile<'a>>,
    convention: Option<Convention>,
    manifest: &'a Manifest,
    findings: &mut Findings,
) -> Vec<Named<'a>> {
    let placeholders = (convention == Some(Convention::Flyway)).then_some(&manifest.placeholders);
    let schemas = manifest.schemas.as_slice();
    let made = made_by(found.iter().map(|one| one.file.content.as_str()));
    let (made, tables) = (Arc::new(made.schemas), Arc::new(made.tables));
    let mut ordered: BTreeMap<MigrationOrder, Named<'a>> = BTreeMap::new();
    for FoundFile { file, evidence, order, version, title, marked_by, undone_by } in found {
        let path = evidence.path;
        let order = match (&version, convention) {
            (Some(version), Some(Convention::Dbmate)) => MigrationOrder::Textual(version.clone()),
            (Some(version), Some(Convention::Hasura)) => naming::by_number(version).unwrap_or(order),
            (Some(version), Some(Convention::SqlMigrate)) => naming::by_number_and_name(version, path),
            (_, Some(Convention::Goose)) if order.is_zero() => {
                let message =
                    format!("{path} has the version 0, and goose counts from 1: give it a higher one");
                findings.file_error("unrecognised_file", path, message);
                order
            }
            _ => order,
        };
        if let Some(other) = ordered.get(&order) {
            let message = format!(
                "{path} has the same place in the order as {}: give each migration a version of its own",
                other.file.path
            );
            findings.file_error("duplicate_version", path, message);
            continue;
        }
        // In a mixed folder each file is read in its own convention, so that the mix is the only fault reported.
        let sections = match convention {
            Some(convention) => convention.sections(),
            None => evidence
                .marker
                .map(|marker| marker.sections)
                .filter(|own| !matches!(own, Sections::Foreign(_))),
        };
        let (made, tables) = (Arc::clone(&made), Some(Arc::clone(&tables)));
        let named = Named {
            file,
            version,
            title,
            sections,
            convention,
            marked_by,
            undone_by,
            schemas,
            made,
            tables,
            placeholders,
        };
        ordered.insert(order, named);
    }
    ordered.into_values().collect()
}

/// Gives each migration the file that takes it back, and reports each that has nothing to take back.
fn give_back<'a>(
    undo: Vec<(&'a SourceFile, Shape, MigrationOrder)>,
    found: &mut [FoundFile<'a>],
    findings: &mut Findings,
) {
    for (file, shape, order) in undo {
        let path = &file.path;
        let mut of = found.iter_mut().filter(|one| one.evidence.shape == shape && one.order == order);
        match (of.next(), shape) {
            (Some(one), _) if one.undone_by.is_none() => one.undone_by = Some(file),
            (Some(one), _) => {
                let message = format!(
                    "{path} takes back {}, as another file does: keep one of them",
                    one.evidence.path
                );
                findings.file_warning("undo_ignored", path, message);
            }
            (None, Shape::Pair | Shape::Folder) => {
                let message =
                    format!("{path} has no way up beside it: add {}", path.replace("down.sql", "up.sql"));
                findings.file_error("missing_up", path, message);
            }
            (None, _) => {
                let message = format!(
                    "{path} takes back a migration of its version, and there is none: remove it, or say convention = \
                     \"refinery\" in {MANIFEST} if it is a migration itself"
                );
                findings.file_error("undo_without_migration", path, message);
            }
        }
    }
}

fn unknown(path: &str, convention: Option<Convention>, findings: &mut Findings) {
    let lower = path.to_ascii_lowercase();
    let is_text =
        lower.ends_with(".md") || lower.ends_with(".txt") || file_name(&lower).starts_with("license");
    if lower.ends_with(".sql")
        && let Some(convention) = convention.filter(|known| known.has_folders())
    {
        let message = format!(
            "{path} is left out: {convention} runs nothing but files such as {}",
            convention.example()
        );
        findings.file_warning("file_ignored", path, message);
    } else if lower.ends_with(".sql") {
        let message = format!(
            "{path} is no migration by its name and not in the manifest's seed: name it V1__title.sql, R__title.sql \
             or 0001_title.sql, list it in seed, or move it out of the folder"
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
