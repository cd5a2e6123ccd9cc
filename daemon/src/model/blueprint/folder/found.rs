//! The migrations that were found by their names, before their convention and their order are known.

use std::collections::BTreeSet;

use super::Files;
use super::journal::JOURNAL;
use crate::model::blueprint::SourceFile;
use crate::model::blueprint::convention::{self, Convention, Evidence, Mix};
use crate::model::blueprint::findings::Findings;
use crate::model::blueprint::manifest::MANIFEST;
use crate::model::blueprint::naming::{self, MigrationOrder, Shape};
use crate::model::blueprint::sections;

/// A migration whose place among the others is not yet known.
pub(super) struct FoundFile<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) evidence: Evidence<'a>,
    pub(super) order: MigrationOrder,
    pub(super) version: Option<String>,
    pub(super) title: String,
    pub(super) marked_by: Option<&'a SourceFile>,
    pub(super) undone_by: Option<&'a SourceFile>,
}

impl<'a> FoundFile<'a> {
    pub(super) fn new(
        path: &'a str,
        file: &'a SourceFile,
        shape: Shape,
        order: MigrationOrder,
        version: Option<String>,
        title: String,
    ) -> Self {
        let marker = sections::markers(&file.content).next();
        let evidence = Evidence { path, shape, marker };
        Self { file, evidence, order, version, title, marked_by: None, undone_by: None }
    }
}

/// Numbers that begin anew in each of several numbered folders. Where all files have numbers of their own, these alone count, as
/// for times in folders of months.
pub(super) fn order_by_folders(
    found: &mut [FoundFile<'_>],
    undo: &mut [(&SourceFile, Shape, MigrationOrder)],
    findings: &mut Findings,
) {
    let is_plain =
        |shape: Shape| matches!(shape, Shape::Underscore | Shape::Loose | Shape::Dotted | Shape::Pair);
    let mut orders = BTreeSet::new();
    let is_open = !found.iter().all(|file| orders.insert(&file.order));
    let in_folders: Option<Vec<MigrationOrder>> = found
        .iter()
        .map(|file| {
            naming::in_numbered_folders(file.evidence.path, &file.order)
                .filter(|_| is_plain(file.evidence.shape))
        })
        .collect();
    let Some(in_folders) = in_folders else { return };
    if !is_open {
        let mut both: Vec<_> = found.iter().zip(&in_folders).collect();
        both.sort_by(|(one, _), (other, _)| one.order.cmp(&other.order));
        if let Some(pair) = both.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            let (first, second) = (pair[0].0.evidence.path, pair[1].0.evidence.path);
            let message = format!(
                "{first} comes before {second} by its own number, and after it by those of the folders: number the files so that \
                 both say the same"
            );
            findings.file_error("order", second, message);
        }
        return;
    }
    for (file, order) in found.iter_mut().zip(in_folders) {
        file.order = order;
    }
    for (file, _, order) in undo {
        if let Some(within) = naming::in_numbered_folders(&file.path, order) {
            *order = within;
        }
    }
}

/// Flyway makes a new database of its newest baseline, and of what comes behind it.
pub(super) fn begin_with_a_baseline<'a>(
    mut baselines: Vec<FoundFile<'a>>,
    found: &mut Vec<FoundFile<'a>>,
    undo: &mut Vec<(&'a SourceFile, Shape, MigrationOrder)>,
    findings: &mut Findings,
) {
    baselines.sort_by(|one, other| one.order.cmp(&other.order));
    let Some(newest) = baselines.pop() else { return };
    // Two for one version are an error, as two migrations are.
    let as_new = baselines.iter().position(|file| file.order == newest.order).unwrap_or(baselines.len());
    let twins = baselines.split_off(as_new);
    undo.retain(|(_, shape, order)| *shape != Shape::Flyway || *order > newest.order);
    let is_before = |file: &FoundFile<'_>| {
        file.evidence.shape == Shape::Flyway
            && matches!(file.order, MigrationOrder::Versioned(_))
            && file.order <= newest.order
    };
    let before = found.iter().filter(|file| is_before(file)).chain(&baselines);
    let message = format!(
        "left out, since {} makes what it makes: for new tenants, since those that have it cannot be upgraded to a version with that baseline",
        newest.evidence.path
    );
    before.for_each(|file| findings.file_note("baseline", file.evidence.path, message.clone()));
    found.retain(|file| !is_before(file));
    found.extend(twins);
    found.push(newest);
}

/// The one SQL file of a folder that has no migrations: a dump of all that they made. It is taken from the other files.
pub(super) fn dump<'a>(strangers: &mut Vec<&'a str>, files: &Files<'a>) -> Option<FoundFile<'a>> {
    let is_sql = |path: &str| path.to_ascii_lowercase().ends_with(".sql");
    let mut sql = strangers.iter().copied().filter(|path| is_sql(path));
    let (path, None) = (sql.next()?, sql.next()) else { return None };
    let file = *files.get(path)?;
    strangers.retain(|other| *other != path);
    let name = path.rsplit('/').next().unwrap_or(path);
    let title = name.split('.').next().unwrap_or(name).replace(['_', '-'], " ");
    let order = MigrationOrder::Listed(0);
    Some(FoundFile::new(path, file, Shape::Whole, order, Some("1".to_owned()), title))
}

/// The convention that the manifest names or the files show; a file that does not fit is an error.
pub(super) fn convention(
    said: Option<Convention>,
    found: &[FoundFile<'_>],
    findings: &mut Findings,
) -> Option<Convention> {
    if let Some(said) = said {
        for Evidence { path, .. } in
            found.iter().map(|file| file.evidence).filter(|file| !said.takes(file.shape))
        {
            let message = format!(
                "{path} is not named as {said} names its files, and {MANIFEST} says convention = \"{said}\": rename it \
                 as in {}, or correct the convention",
                said.example()
            );
            findings.file_error("mixed_conventions", path, message);
        }
        return Some(said);
    }
    let evidence: Vec<Evidence<'_>> = found.iter().map(|file| file.evidence).collect();
    let detected = convention::detect(&evidence);
    if let (Ok(Some(Convention::Diesel)), Some((first, second))) = (&detected, ordered_by_both(found)) {
        let message = format!(
            "Hasura runs {first} before {second}, and diesel after it: add convention = \"hasura\" or convention = \
             \"diesel\" to {MANIFEST}"
        );
        findings.file_error("mixed_conventions", second, message);
    }
    detected.unwrap_or_else(|Mix { first, second }| {
        let message = format!(
            "{} is written as for {} and {} as for {}, so their order is open: use one convention in a folder",
            first.0, first.1, second.0, second.1
        );
        findings.file_error("mixed_conventions", second.0, message);
        None
    })
}

/// Two migrations in folders of their own that Hasura, which compares their versions as numbers, runs in the other order than
/// diesel, which compares them as texts.
fn ordered_by_both<'a>(found: &[FoundFile<'a>]) -> Option<(&'a str, &'a str)> {
    let mut by_text: Vec<&FoundFile<'_>> = found.iter().collect();
    by_text.sort_by(|one, other| one.order.cmp(&other.order));
    // Hasura has times in milliseconds, and no dates that a person reads.
    if found.iter().any(|file| file.version.as_deref().is_some_and(|version| version.contains('-'))) {
        return None;
    }
    let number = |file: &FoundFile<'_>| file.version.as_deref().and_then(naming::by_number);
    let pairs = by_text.windows(2).find(|pair| number(pair[0]) > number(pair[1]));
    pairs.map(|pair| (pair[1].evidence.path, pair[0].evidence.path))
}

/// Keeps the migrations that the journal names, in its order.
pub(super) fn by_journal(journal: &[String], found: &mut Vec<FoundFile<'_>>, findings: &mut Findings) {
    let place = |path: &str| journal.iter().position(|named| named == path);
    found.retain_mut(|file| match place(file.evidence.path) {
        Some(place) => {
            file.order = MigrationOrder::Listed(place);
            true
        }
        None => {
            let message = format!(
                "{} is left out: {JOURNAL} does not name it, so drizzle does not run it",
                file.evidence.path
            );
            findings.file_warning("file_ignored", file.evidence.path, message);
            false
        }
    });
    let is_there = |path: &&String| !found.iter().any(|file| file.evidence.path == *path);
    for path in journal.iter().filter(is_there) {
        let message = format!("{JOURNAL} names {path}, which is no migration of this folder: restore it");
        findings.file_error("journal", JOURNAL, message);
    }
}
