//! Which files bring a placement to another version, forward and back.
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
    of.migrations.iter().chain(&of.seed).map(|file| (file.path.clone(), file.checksum.to_string())).collect()
}

fn pending_of(
    new: &Blueprint,
    old: &Blueprint,
    rows: &[(String, String)],
) -> Result<Vec<String>, Vec<Obstacle>> {
    let rows: Vec<FileRun<'_>> =
        rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
    between(new, old, &rows, None).map(|files| files.iter().map(|file| file.path.clone()).collect())
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
fn flyways_callbacks_run_around_the_files_of_each_upgrade_and_not_without_any() {
    const BEFORE: (&str, &str) = ("beforeMigrate.sql", "drop view if exists v;");
    const AFTER: (&str, &str) = ("afterMigrate__v.sql", "create view v as select 1 as one;");
    let old = blueprint("1.0", &[BEFORE, FIRST, VIEW, AFTER]);
    let files: Vec<&str> = old.migrations.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, [BEFORE.0, FIRST.0, VIEW.0, AFTER.0]);
    let new = blueprint("1.1", &[BEFORE, FIRST, SECOND, VIEW, AFTER]);
    assert_eq!(pending_of(&new, &old, &history(&old)).unwrap(), [BEFORE.0, SECOND.0, AFTER.0]);
    assert!(pending_of(&old, &old, &history(&old)).unwrap().is_empty());
    // An attempt ended between what runs outside of transactions and the callback behind it.
    let mut rows = history(&old);
    rows.push(history(&new).into_iter().find(|(file, _)| file == SECOND.0).unwrap());
    assert_eq!(pending_of(&new, &old, &rows).unwrap(), [AFTER.0]);
    // The callback before has run in a transaction of its own, since a file outside follows.
    let rows = history(&old);
    let mut runs: Vec<FileRun<'_>> =
        rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
    let before = runs.remove(0);
    runs.push(FileRun { is_since: true, ..before });
    let paths = |files: Vec<&Migration>| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(between(&new, &old, &runs, None).map(paths).unwrap(), [SECOND.0, AFTER.0]);
    // They may come and go.
    let without = blueprint("1.1", &[FIRST, VIEW]);
    assert!(pending_of(&without, &old, &history(&old)).unwrap().is_empty());
    assert_eq!(pending_of(&old, &without, &history(&without)).unwrap(), [AFTER.0]);
}

#[test]
fn a_dump_and_a_baseline_stay_a_part_of_the_next_version() {
    let dump = blueprint("1.0", &[("structure.sql", "create table a (id int primary key);")]);
    let numbered = blueprint("1.1", &[FIRST]);
    let missing = |file: &str| Err(vec![Obstacle::Missing { file: file.to_owned() }]);
    assert_eq!(pending_of(&numbered, &dump, &history(&dump)), missing("structure.sql"));
    let baseline = blueprint("1.0", &[("B2__a.sql", "create table a (id int primary key);")]);
    assert_eq!(pending_of(&numbered, &baseline, &history(&baseline)), missing("B2__a.sql"));
    let more = blueprint("1.1", &[("B2__a.sql", "create table a (id int primary key);"), THIRD]);
    assert_eq!(pending_of(&more, &baseline, &history(&baseline)).unwrap(), [THIRD.0]);
}

fn noted(files: &[&Migration]) -> Vec<(String, String)> {
    files.iter().map(|file| file.note()).map(|note| (note.file.to_owned(), note.checksum)).collect()
}

fn back(
    new: &Blueprint,
    old: &Blueprint,
    rows: &[(String, String)],
) -> Result<Vec<(String, String)>, Vec<Obstacle>> {
    let rows: Vec<FileRun<'_>> =
        rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
    between(new, old, &rows, None).map(|files| noted(&files))
}

const UNDO_SECOND: (&str, &str) = ("U2__b.sql", "drop table b;");
const UNDO_THIRD: (&str, &str) = ("U3__c.sql", "drop table c;");

#[test]
fn what_only_the_later_version_has_is_taken_back_newest_first_and_can_come_again() {
    let first = blueprint("1.0", &[FIRST, VIEW]);
    let later = blueprint("1.2", &[FIRST, SECOND, UNDO_SECOND, THIRD, UNDO_THIRD, OTHER_VIEW]);
    let runs = pending_of(&first, &later, &history(&later)).unwrap();
    assert_eq!(runs, [UNDO_THIRD.0, UNDO_SECOND.0, VIEW.0]);
    let mut rows = history(&later);
    for (file, checksum) in back(&first, &later, &rows).unwrap() {
        rows.retain(|(known, _)| *known != file);
        rows.push((file, checksum));
    }
    assert!(pending_of(&first, &later, &rows).unwrap().is_empty(), "all of it was taken back");
    assert_eq!(pending_of(&later, &first, &rows).unwrap(), [SECOND.0, THIRD.0, OTHER_VIEW.0]);
    // In between, each version takes back what it alone has.
    let middle = blueprint("1.1", &[FIRST, SECOND, UNDO_SECOND, VIEW]);
    assert_eq!(pending_of(&middle, &later, &history(&later)).unwrap(), [UNDO_THIRD.0, VIEW.0]);
}

#[test]
fn a_tenant_keeps_its_seed_whichever_version_brought_it() {
    let numbered = |version: &str, files: &[(&str, &str)]| {
        let with_seed = [files, &[("seed/1_demo.sql", "select 2;")]].concat();
        let mut blueprint = blueprint(version, &[FIRST]);
        let manifest = format!(
            "name = \"shop\"\nversion = \"{version}\"\ntitle = \"Shop\"\ntenancy = \"schema\"\nseed = [\"seed/1_demo.sql\"]\n"
        );
        let files = [("blueprint.toml", manifest.as_str())].into_iter().chain(with_seed);
        let files: Vec<SourceFile> = files
            .map(|(path, content)| SourceFile { path: path.to_owned(), content: content.to_owned() })
            .collect();
        let parsed = parse(&files);
        blueprint = parsed.blueprint.unwrap_or(blueprint);
        blueprint
    };
    let first = blueprint("1.0", &[FIRST]);
    let later = numbered("1.1", &[FIRST, SECOND, UNDO_SECOND]);
    let mut rows = history(&later);
    rows.extend(back(&first, &later, &rows).unwrap());
    rows.retain(|(file, checksum)| file != SECOND.0 || checksum.starts_with(TAKEN_BACK));
    assert_eq!(pending_of(&later, &first, &rows).unwrap(), [SECOND.0]);
    // Made with the seed of a version whose successor has none.
    let (seeded, next) = (numbered("1.0", &[FIRST]), blueprint("1.1", &[FIRST, SECOND, UNDO_SECOND]));
    let rows =
        [history(&seeded), vec![(SECOND.0.to_owned(), next.migrations[1].checksum.to_string())]].concat();
    assert_eq!(pending_of(&seeded, &next, &rows).unwrap(), [UNDO_SECOND.0]);
}

#[test]
fn nothing_outside_of_the_transaction_takes_a_tenant_back() {
    let index = ("R__i.sql", "-- no matter\ncreate index concurrently if not exists i on a (id);");
    let mark = ("R__i.sql.conf", "executeInTransaction=false");
    let first = blueprint("1.0", &[FIRST, index, mark]);
    let later = blueprint("1.1", &[FIRST, SECOND, UNDO_SECOND, ("R__i.sql", "select 1;")]);
    let outside = Obstacle::Outside { file: "R__i.sql".to_owned() };
    assert_eq!(pending_of(&first, &later, &history(&later)).unwrap_err(), [outside]);
}

#[test]
fn what_nothing_takes_back_stays() {
    let first = blueprint("1.0", &[FIRST]);
    let later = blueprint("1.2", &[FIRST, SECOND, THIRD, UNDO_THIRD]);
    let no_way_back = Obstacle::NoWayBack { file: SECOND.0.to_owned() };
    assert_eq!(pending_of(&first, &later, &history(&later)).unwrap_err(), [no_way_back]);
    let edited = blueprint("1.0", &[(FIRST.0, "create table a (id bigint primary key);")]);
    let found = pending_of(&edited, &later, &history(&later)).unwrap_err();
    assert!(found.contains(&Obstacle::Edited { file: FIRST.0.to_owned() }), "{found:?}");
    let other = blueprint("1.0", &[FIRST, ("V1_5__x.sql", "select 1;")]);
    let found = pending_of(&other, &later, &history(&later)).unwrap_err();
    assert!(found.contains(&Obstacle::NeverApplied { file: "V1_5__x.sql".to_owned() }), "{found:?}");
    let unknown = [history(&later), vec![("V9__z.sql".to_owned(), "0".to_owned())]].concat();
    let found = pending_of(&first, &later, &unknown).unwrap_err();
    assert!(found.contains(&Obstacle::Missing { file: "V9__z.sql".to_owned() }), "{found:?}");
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
    assert_eq!(next(mixed).unwrap_err(), Obstacle::Mixed { file: file(), statement: "update".to_owned() });
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
        rows.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
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
    assert!(between(&first, &old, &rows, Some(all)).is_ok());
    assert!(between(&other, &old, &rows, Some(one)).is_ok(), "only what had not run is different");
    let cut = || Obstacle::CutShort { file: "V2__b.sql".to_owned(), statements: 2 };
    assert_eq!(between(&other, &old, &rows, Some(all)).unwrap_err(), [cut()]);
    assert_eq!(between(&blueprint("1.1", &[FIRST, SECOND]), &old, &rows, Some(all)).unwrap_err(), [cut()]);
    let full = with("vacuum full a;");
    let locks = Obstacle::Locks { file: "V2__b.sql".to_owned() };
    assert_eq!(between(&full, &old, &rows, None).unwrap_err(), [locks]);
    let mixed = with("vacuum a; alter table a add column c int;");
    let untold = Obstacle::Untold { file: "V2__b.sql".to_owned(), statement: "alter".to_owned() };
    assert_eq!(between(&mixed, &old, &rows, None).unwrap_err(), [untold]);
}
