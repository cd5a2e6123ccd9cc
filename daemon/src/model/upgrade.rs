//! Which files an upgrade of a placement runs: the difference between its history and a version of its blueprint.
//!
//! Pure. The history on the target decides, not the registry: it is right even where one of the two was restored.

use std::collections::BTreeMap;

use tenantry_protocol::blueprint::Tenancy;

use super::blueprint::{Blueprint, Checksum, Migration, Statement, first_word, is_versioned};

/// Why a placement cannot be brought to a version. Each names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("{file} was changed after it was applied: restore its text, and put the change into a new file")]
    Edited { file: String },
    #[error("{file} was applied, and the version does not have it: put the file back")]
    Missing { file: String },
    #[error("{file} is new and comes before {applied}, which was applied: give it a higher number")]
    Inserted { file: String, applied: String },
    #[error(
        "{file} was cut short, and what ran of it has another text now: restore the text of its first {statements} statements"
    )]
    CutShort { file: String, statements: usize },
    #[error(
        "{file} has VACUUM FULL, which locks a table in use for as long as it takes to write it anew: leave it out"
    )]
    Locks { file: String },
    #[error(
        "{file} defines things and changes rows ({statement} …), and in shared tables each is done as somebody else: put what changes rows \
         into a file of its own, which runs once as each tenant"
    )]
    Mixed { file: String, statement: String },
    #[error(
        "{file} runs {statement} …, which in shared tables would reach the pool's own rows alone and those of no tenant: write it as \
         INSERT, UPDATE, DELETE or MERGE in a file of its own, which runs once as each tenant, or leave it to the application"
    )]
    Rowless { file: String, statement: String },
}

/// The newest run of a file, in a placement's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRun<'a> {
    pub file: &'a str,
    pub checksum: &'a str,
    /// The upgrade itself ran it, in an earlier attempt.
    pub is_ours: bool,
}

/// What ran of a file outside the transaction that was cut short: the checksums of its first statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BegunFile<'a> {
    pub file: &'a str,
    pub statements: &'a [String],
}

/// The files that bring a placement with this history to the blueprint's version, in the order in which they run. Repeatable
/// files come last, if their text differs from that of their newest run. `earlier` is the version that the placement has; its
/// seed is in the history, and no part of an upgrade.
pub fn pending<'b>(
    blueprint: &'b Blueprint,
    earlier: &Blueprint,
    history: &[FileRun<'_>],
    part: Option<BegunFile<'_>>,
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
            // An upgrade runs no seed. A repeatable file may go: what it made stays, until a file drops it.
            None if is_seed(earlier) || !is_versioned(row.file) => {}
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
    let had = |path: &str| earlier.migrations.iter().any(|file| file.path == path);
    pending.extend(repeatable.filter(|file| {
        let newest = history.iter().rfind(|row| row.file == file.path);
        newest.is_none_or(|row| {
            let is_same = row.checksum == file.checksum.to_string();
            !is_same || !(row.is_ours || had(&file.path))
        })
    }));
    if blueprint.tenancy == Tenancy::Shared
        && let Some(obstacle) = pending.iter().find_map(|file| obstacle_of_shared(file))
    {
        return Err(vec![obstacle]);
    }
    match obstacle_of(&pending, part) {
        Some(obstacle) => Err(vec![obstacle]),
        None => Ok(pending),
    }
}

/// Why the file cannot run on tables that tenants share: it neither only defines things nor only changes rows.
fn obstacle_of_shared(file: &Migration) -> Option<Obstacle> {
    const DEFINITIONS: [&str; 5] = ["create", "alter", "drop", "comment", "reindex"];
    if file.is_data() {
        return None;
    }
    let word = |one: &Statement| first_word(&one.text).to_lowercase();
    let is_definition = |one: &Statement| DEFINITIONS.contains(&word(one).as_str());
    let path = || file.path.clone();
    let rowless = file.statements.iter().find(|one| !is_definition(one) && !one.changes_rows());
    if let Some(one) = rowless {
        return Some(Obstacle::Rowless { file: path(), statement: word(one) });
    }
    let changing = file.statements.iter().find(|one| one.changes_rows())?;
    Some(Obstacle::Mixed { file: path(), statement: word(changing) })
}

/// Why these files cannot run on a placement that is in use.
fn obstacle_of(pending: &[&Migration], part: Option<BegunFile<'_>>) -> Option<Obstacle> {
    if let Some(part) = part {
        let is_continued = pending.first().is_some_and(|first| {
            let texts = first.statements.iter().map(|one| Checksum::of(one.text.as_bytes()).to_string());
            first.path == part.file
                && first.statements.len() >= part.statements.len()
                && texts.zip(part.statements).all(|(text, ran)| text == *ran)
        });
        if !is_continued {
            let (file, statements) = (part.file.to_owned(), part.statements.len());
            return Some(Obstacle::CutShort { file, statements });
        }
    }
    let locking = pending.iter().find(|file| file.statements.iter().any(|one| is_vacuum_full(&one.text)));
    locking.map(|file| Obstacle::Locks { file: file.path.clone() })
}

fn is_vacuum_full(statement: &str) -> bool {
    let lower = statement.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    words.contains(&"vacuum") && words.contains(&"full")
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
        let rows: Vec<FileRun<'_>> =
            rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_ours: false }).collect();
        pending(new, old, &rows, None).map(|files| files.iter().map(|file| file.path.clone()).collect())
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
    fn a_file_of_shared_tables_defines_things_or_changes_rows_and_not_both() {
        let shared = |version: &str, files: &[(&str, &str)]| Blueprint {
            tenancy: Tenancy::Shared,
            ..blueprint(version, files)
        };
        let old = shared("1.0", &[FIRST]);
        let next = |sql: &str| {
            let new = shared("1.1", &[FIRST, ("V2__b.sql", sql)]);
            pending_of(&new, &old, &history(&old)).map_err(|mut found| found.remove(0))
        };
        let file = || "V2__b.sql".to_owned();
        for sql in [
            "alter table a add column b int; create index on a (b); comment on table a is 'x';",
            "-- All of them.\nUPDATE a set b = 1; insert into a values (1); delete from a; merge into a using a o on true when matched then do nothing;",
            "with c as (select 1 as b) insert into a select b from c;",
        ] {
            assert_eq!(next(sql).unwrap(), [file()], "{sql}");
        }
        let mixed = "alter table a add column b int; update a set b = 1;";
        assert_eq!(
            next(mixed).unwrap_err(),
            Obstacle::Mixed { file: file(), statement: "update".to_owned() }
        );
        for (sql, word) in [
            ("do $$ begin update a set b = 1; end $$;", "do"),
            ("update a set b = 1; select setval('s', 1);", "select"),
            ("truncate a;", "truncate"),
        ] {
            assert_eq!(
                next(sql).unwrap_err(),
                Obstacle::Rowless { file: file(), statement: word.to_owned() },
                "{sql}"
            );
        }
    }

    #[test]
    fn a_repeatable_file_may_go_and_runs_again_when_it_is_back() {
        let (old, new) = (blueprint("1.0", &[FIRST, VIEW]), blueprint("1.1", &[FIRST, SECOND]));
        assert_eq!(pending_of(&new, &old, &history(&old)).unwrap(), [SECOND.0]);
        let mut rows = history(&old);
        rows.extend(history(&new).into_iter().filter(|(file, _)| file == SECOND.0));
        let next = blueprint("1.2", &[FIRST, SECOND, THIRD]);
        assert_eq!(pending_of(&next, &new, &rows).unwrap(), [THIRD.0]);
        let back = blueprint("1.2", &[FIRST, SECOND, VIEW]);
        assert_eq!(pending_of(&back, &new, &rows).unwrap(), [VIEW.0]);
    }

    #[test]
    fn what_ran_of_a_file_that_was_cut_short_must_still_be_its_beginning() {
        let old = blueprint("1.0", &[FIRST]);
        let rows = history(&old);
        let rows: Vec<FileRun<'_>> =
            rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_ours: false }).collect();
        let index = "create index concurrently b on a (id);";
        let with = |second: &str| {
            let text = format!("-- tenantry: outside\n{index}\n{second}");
            blueprint("1.1", &[FIRST, ("V2__b.sql", &text), ("V2__b.sql.conf", "executeInTransaction=false")])
        };
        let (first, other) = (with("vacuum a;"), with("analyze a;"));
        let ran: Vec<String> = first.migrations[1]
            .statements
            .iter()
            .map(|one| Checksum::of(one.text.as_bytes()).to_string())
            .collect();
        let all = BegunFile { file: "V2__b.sql", statements: &ran };
        let one = BegunFile { file: "V2__b.sql", statements: &ran[..1] };
        assert!(pending(&first, &old, &rows, Some(all)).is_ok());
        assert!(pending(&other, &old, &rows, Some(one)).is_ok(), "only what had not run is different");
        let cut = || Obstacle::CutShort { file: "V2__b.sql".to_owned(), statements: 2 };
        assert_eq!(pending(&other, &old, &rows, Some(all)).unwrap_err(), [cut()]);
        assert_eq!(
            pending(&blueprint("1.1", &[FIRST, SECOND]), &old, &rows, Some(all)).unwrap_err(),
            [cut()]
        );
        let full = with("vacuum full a;");
        let locks = Obstacle::Locks { file: "V2__b.sql".to_owned() };
        assert_eq!(pending(&full, &old, &rows, None).unwrap_err(), [locks]);
    }
}
