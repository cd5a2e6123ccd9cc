//! Which files an upgrade of a placement runs: the difference between its history and a version of its blueprint.
//!
//! Pure. The history on the target decides, not the registry: it is right even where one of the two was restored.

use std::collections::BTreeMap;

use super::blueprint::{Blueprint, Migration};

/// Why a placement cannot be brought to a version. Each names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("{file} was changed after it was applied: restore its text, and put the change into a new file")]
    Edited { file: String },
    #[error("{file} was applied, and the version does not have it: put the file back")]
    Missing { file: String },
    #[error("{file} is new and comes before {applied}, which was applied: give it a higher number")]
    Inserted { file: String, applied: String },
}

/// The newest run of a file, in a placement's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRun<'a> {
    pub file: &'a str,
    pub checksum: &'a str,
}

/// The files that bring a placement with this history to the blueprint's version, in the order in which they run. Repeatable
/// files come last, if their text differs from that of their newest run. `earlier` is the version that the placement has; its
/// seed is in the history, and no part of an upgrade.
pub fn pending<'b>(
    blueprint: &'b Blueprint,
    earlier: &Blueprint,
    history: &[FileRun<'_>],
) -> Result<Vec<&'b Migration>, Vec<Obstacle>> {
    let applied: BTreeMap<&str, &str> = history.iter().map(|row| (row.file, row.checksum)).collect();
    let mut obstacles = Vec::new();
    for row in history {
        let is_seed = |of: &Blueprint| of.seed.iter().any(|file| file.path == row.file);
        let known = blueprint.migrations.iter().find(|file| file.path == row.file);
        match known {
            Some(file) if file.version.is_some() && file.checksum.to_string() != row.checksum => {
                obstacles.push(Obstacle::Edited { file: row.file.to_owned() });
            }
            Some(_) => {}
            // A repeatable file may go: what it made stays, until a file drops it.
            None if is_seed(earlier) || is_repeatable(earlier, row.file) => {}
            None => obstacles.push(Obstacle::Missing { file: row.file.to_owned() }),
        }
    }
    let versioned = blueprint.migrations.iter().filter(|file| file.version.is_some());
    let last = versioned.clone().rfind(|file| applied.contains_key(file.path.as_str()));
    let mut pending: Vec<&Migration> =
        versioned.filter(|file| !applied.contains_key(file.path.as_str())).collect();
    if let Some(last) = last {
        let until = blueprint.migrations.iter().take_while(|file| file.path != last.path);
        let inserted = until
            .filter(|file| file.version.is_some() && !applied.contains_key(file.path.as_str()))
            .map(|file| Obstacle::Inserted { file: file.path.clone(), applied: last.path.clone() });
        obstacles.extend(inserted);
    }
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    let repeatable = blueprint.migrations.iter().filter(|file| file.version.is_none());
    pending.extend(repeatable.filter(|file| {
        applied.get(file.path.as_str()).is_none_or(|checksum| **checksum != file.checksum.to_string())
    }));
    Ok(pending)
}

fn is_repeatable(blueprint: &Blueprint, path: &str) -> bool {
    blueprint.migrations.iter().any(|file| file.path == path && file.version.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::blueprint::{SourceFile, parse};

    fn blueprint(version: &str, files: &[(&str, &str)]) -> Blueprint {
        let manifest = format!(
            "name = \"shop\"\nversion = \"{version}\"\ntitle = \"Shop\"\ntenancy = \"schema\"\nseed = [\"seed/data.sql\"]\n"
        );
        let seed = [("blueprint.toml", manifest.as_str()), ("seed/data.sql", "select 1;")];
        let files = seed
            .iter()
            .chain(files)
            .map(|(path, content)| SourceFile { path: (*path).to_owned(), content: (*content).to_owned() });
        let parsed = parse(&files.collect::<Vec<_>>());
        parsed.blueprint.unwrap_or_else(|| unreachable!("{:?}", parsed.findings))
    }

    /// What a tenant has that was made of this version, with its seed.
    fn history(of: &Blueprint) -> Vec<(String, String)> {
        of.migrations
            .iter()
            .chain(&of.seed)
            .map(|file| (file.path.clone(), file.checksum.to_string()))
            .collect()
    }

    fn pending_of(
        new: &Blueprint,
        old: &Blueprint,
        rows: &[(String, String)],
    ) -> Result<Vec<String>, Vec<Obstacle>> {
        let rows: Vec<FileRun<'_>> = rows.iter().map(|(file, checksum)| FileRun { file, checksum }).collect();
        pending(new, old, &rows).map(|files| files.iter().map(|file| file.path.clone()).collect())
    }

    const FIRST: (&str, &str) = ("V1__a.sql", "create table a (id int primary key);");
    const SECOND: (&str, &str) = ("V2__b.sql", "create table b (id int primary key);");
    const THIRD: (&str, &str) = ("V3__c.sql", "create table c (id int primary key);");
    const VIEW: (&str, &str) = ("R__v.sql", "create or replace view v as select 1 as one;");
    const OTHER_VIEW: (&str, &str) = ("R__v.sql", "create or replace view v as select 2 as one;");

    #[test]
    fn new_files_run_in_their_order_and_changed_repeatable_files_after_them() {
        let old = blueprint("1.0", &[FIRST, VIEW]);
        let new = blueprint("1.1", &[FIRST, SECOND, THIRD, OTHER_VIEW]);
        assert_eq!(pending_of(&new, &old, &history(&old)).unwrap(), [SECOND.0, THIRD.0, VIEW.0]);
        let same_view = blueprint("1.1", &[FIRST, SECOND, VIEW]);
        assert_eq!(pending_of(&same_view, &old, &history(&old)).unwrap(), [SECOND.0]);
        assert!(pending_of(&old, &old, &history(&old)).unwrap().is_empty());
    }

    #[test]
    fn a_repeatable_file_that_returns_to_an_earlier_text_runs_again() {
        let (a, b) = (blueprint("1.0", &[FIRST, VIEW]), blueprint("1.1", &[FIRST, OTHER_VIEW]));
        // The newest run of the file is that of 1.1.
        assert_eq!(pending_of(&a, &b, &history(&b)).unwrap(), [VIEW.0]);
    }

    #[test]
    fn what_was_applied_stays_as_it_was_and_nothing_comes_before_it() {
        let old = blueprint("1.0", &[FIRST, THIRD, VIEW]);
        let file = |name: &str| name.to_owned();
        let edited = blueprint("1.1", &[(FIRST.0, "create table a (id bigint primary key);"), THIRD, VIEW]);
        assert_eq!(
            pending_of(&edited, &old, &history(&old)).unwrap_err(),
            [Obstacle::Edited { file: file(FIRST.0) }]
        );
        let missing = blueprint("1.1", &[FIRST, VIEW]);
        assert_eq!(
            pending_of(&missing, &old, &history(&old)).unwrap_err(),
            [Obstacle::Missing { file: file(THIRD.0) }]
        );
        let inserted = blueprint("1.1", &[FIRST, SECOND, THIRD, VIEW]);
        assert_eq!(
            pending_of(&inserted, &old, &history(&old)).unwrap_err(),
            [Obstacle::Inserted { file: file(SECOND.0), applied: file(THIRD.0) }]
        );
    }

    #[test]
    fn a_repeatable_file_may_go() {
        let (old, new) = (blueprint("1.0", &[FIRST, VIEW]), blueprint("1.1", &[FIRST, SECOND]));
        assert_eq!(pending_of(&new, &old, &history(&old)).unwrap(), [SECOND.0]);
    }
}
