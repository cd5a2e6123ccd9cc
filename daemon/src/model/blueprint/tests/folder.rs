//! Folders: which files belong to a blueprint, and what is reported about the others. Each case is a folder that a client
//! could upload; paths are judged before anything is read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::{Blueprint, parse};

fn file(path: &str, content: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), content: content.to_owned() }
}

/// The codes and files of the findings for a folder with these paths and a valid manifest.
fn check(paths: &[&str], expect: &[(&str, Option<&str>)]) {
    let manifest =
        file(MANIFEST, "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\nseed = [\"seed/demo.sql\"]\n");
    let mut files: Vec<SourceFile> = paths.iter().map(|path| file(path, "select 1;")).collect();
    files.extend([manifest, file("seed/demo.sql", "select 1;")]);
    let findings = parse(&files).findings;
    let found: Vec<_> = findings.iter().map(|f| (f.code.as_str(), f.file.as_deref())).collect();
    assert_eq!(found, expect, "{findings:#?}");
}

#[test]
fn good_folders_have_no_findings() {
    check(&["V1__a.sql", "R__b.sql", "README.md", "LICENSE"], &[]);
    check(&["20240101120000_a.sql", "20240102120000_b.up.sql"], &[]);
    check(&["migrations/V1__a.sql", "migrations/2024/V2__b.sql"], &[]);
}

#[test]
fn paths_that_leave_the_folder_or_hide_are_errors() {
    for path in [
        "/V2__a.sql",
        "../V2__a.sql",
        "a/../V2__a.sql",
        "./V2__a.sql",
        "a//V2__a.sql",
        "a/",
        "",
        ".git/V2__a.sql",
        "C:V2__a.sql",
        "a\\V2__a.sql",
        "V2__a\u{1b}.sql",
        "V2__\u{202e}.sql",
    ] {
        check(&["V1__a.sql", path], &[("bad_path", Some(shown(path).as_str()))]);
    }
    let long = format!("V2__{}.sql", "a".repeat(200));
    check(&["V1__a.sql", &long], &[("bad_path", Some(shown(&long).as_str()))]);
}

#[test]
fn doubtful_orders_are_errors() {
    check(&["V1__a.sql", "V1__a.sql"], &[("duplicate_path", Some("V1__a.sql"))]);
    check(&["V1__a.sql", "V1_0__b.sql"], &[("duplicate_version", Some("V1__a.sql"))]);
    check(&["V1__a.sql", "x/V1__a.sql"], &[("duplicate_version", Some("x/V1__a.sql"))]);
    check(&["V1__a.sql", "2024_b.sql"], &[("mixed_conventions", Some("2024_b.sql"))]);
    check(&["1_a.sql", "01-b.sql"], &[("duplicate_version", Some("1_a.sql"))]);
    check(&["1_a/up.sql", "2_b/up.sql", "2_b/more.sql"], &[("file_ignored", Some("2_b/more.sql"))]);
    check(&["1_a.up.sql", "2_b.down.sql"], &[("missing_up", Some("2_b.down.sql"))]);
    check(&["V1__a.sql", "extra.sql"], &[("unrecognised_file", Some("extra.sql"))]);
    check(&["V1__a.sql", "V2_b.sql"], &[("unrecognised_file", Some("V2_b.sql"))]);
    check(&["V1__a.sql", "V2__b.SQL"], &[("unrecognised_file", Some("V2__b.SQL"))]);
    check(&[], &[("no_migrations", None)]);
}

#[test]
fn files_that_are_left_out_are_named() {
    check(&["V1__a.sql", "U1__a.sql"], &[]);
    check(&["V1__a.sql", "U2__a.sql"], &[("undo_without_migration", Some("U2__a.sql"))]);
    check(&["V1__a.sql", "U1__a.sql", "U1_0__b.sql"], &[("undo_ignored", Some("U1__a.sql"))]);
    check(&["1_a.up.sql", "1_a.down.sql"], &[]);
    check(&["1_a/up.sql", "1_a/down.sql", "2_b/up.sql", "2_b/down.sql"], &[]);
    check(&["V1__a.sql", "V2__a.sql.conf"], &[("file_ignored", Some("V2__a.sql.conf"))]);
}

#[test]
fn each_tool_orders_by_its_own_rule() {
    let order = |files: &[(&str, &str)]| {
        let manifest = file(MANIFEST, "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n");
        let files: Vec<_> = files.iter().map(|(path, sql)| file(path, sql)).chain([manifest]).collect();
        let parsed = parse(&files);
        assert_eq!(parsed.findings, []);
        parsed.blueprint.unwrap().migrations.into_iter().map(|m| m.path).collect::<Vec<_>>()
    };
    let dbmate = "-- migrate:up\nselect 1;";
    assert_eq!(order(&[("9_a.sql", dbmate), ("10_b.sql", dbmate)]), ["10_b.sql", "9_a.sql"]);
    let goose = "-- +goose Up\nselect 1;";
    assert_eq!(order(&[("9_a.sql", goose), ("00010_b.sql", goose)]), ["9_a.sql", "00010_b.sql"]);
    let plain = "select 1;";
    assert_eq!(
        order(&[
            ("2024-01-10_a.sql", plain),
            ("2024-01-02-b.sql", plain),
            ("2024-01-02-093000_d.sql", plain),
            ("2024-01-02-1200_c.sql", plain)
        ]),
        ["2024-01-02-b.sql", "2024-01-02-093000_d.sql", "2024-01-02-1200_c.sql", "2024-01-10_a.sql"]
    );
    let prisma = ["20240101000000_b/migration.sql", "20240101000000_a/migration.sql", "0_init/migration.sql"];
    assert_eq!(order(&prisma.map(|path| (path, plain))), [prisma[2], prisma[1], prisma[0]]);
    assert_eq!(
        order(&[("10.sql", plain), ("2-a.sql", plain), ("1_b.sql", plain)]),
        ["1_b.sql", "2-a.sql", "10.sql"]
    );
}

/// The paths in their order, or the codes of the findings, of a folder whose manifest names its convention.
fn said(convention: &str, paths: &[&str]) -> Vec<String> {
    let manifest =
        format!("name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\nconvention = \"{convention}\"\n");
    let files: Vec<_> =
        paths.iter().map(|path| file(path, "select 1;")).chain([file(MANIFEST, &manifest)]).collect();
    let parsed = parse(&files);
    match parsed.findings.is_empty() {
        true => parsed.blueprint.unwrap().migrations.into_iter().map(|migration| migration.path).collect(),
        false => parsed.findings.into_iter().map(|finding| finding.code).collect(),
    }
}

#[test]
fn what_two_tools_order_otherwise_is_for_the_manifest_to_say() {
    let folders = ["1_a/up.sql", "2_b/up.sql", "10_c/up.sql"];
    check(&folders, &[("mixed_conventions", Some("10_c/up.sql"))]);
    assert_eq!(said("hasura", &folders), folders);
    assert_eq!(said("diesel", &folders), [folders[0], folders[2], folders[1]]);
    // Both agree.
    check(&["1_a/up.sql", "2_b/up.sql"], &[]);
    check(&["00000000000000_setup/up.sql", "2024-01-01-120000_a/up.sql"], &[]);
    // To Flyway the second takes something back; to refinery it is a migration.
    let refinery = ["V1__a.sql", "U2__b.sql", "V3__c.sql"];
    check(&refinery, &[("undo_without_migration", Some("U2__b.sql"))]);
    assert_eq!(said("refinery", &refinery), refinery);
    assert_eq!(said("flyway", &refinery), ["undo_without_migration"]);
}

#[test]
fn goose_counts_from_1() {
    let manifest = file(MANIFEST, "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n");
    let findings = parse(&[manifest, file("00000_a.sql", "-- +goose Up\nselect 1;")]).findings;
    assert_eq!(findings[0].code, "unrecognised_file");
    assert!(findings[0].message.contains("counts from 1"), "{findings:#?}");
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let many: Vec<SourceFile> = (0..=MAX_FILES).map(|n| file(&format!("V{n}__x.sql"), "")).collect();
    let large = [file("V1__a.sql", &"x".repeat(MAX_UPLOAD_BYTES + 1))];
    let codes = |files: &[SourceFile]| parse(files).findings.into_iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(codes(&many), ["too_many_files"]);
    assert_eq!(codes(&large), ["too_large"]);
}

/// The paths that run, in their order, and what is told.
fn read(files: &[(&str, &str)]) -> (Vec<String>, Vec<(String, Option<String>)>) {
    let manifest = "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n";
    let all = files.iter().copied().chain([(MANIFEST, manifest)]);
    let all: Vec<SourceFile> = all
        .map(|(path, content)| SourceFile { path: path.to_owned(), content: content.to_owned() })
        .collect();
    let parsed = parse(&all);
    let blueprint = parsed.blueprint.unwrap();
    let again = parse(&blueprint.source_files()).blueprint.unwrap();
    assert_eq!(again.checksum, blueprint.checksum, "what is stored is read as it was");
    let paths =
        |blueprint: &Blueprint| blueprint.migrations.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&again), paths(&blueprint));
    (paths(&blueprint), parsed.findings.into_iter().map(|one| (one.code, one.file)).collect())
}

fn told(code: &str, file: &str) -> (String, Option<String>) {
    (code.to_owned(), Some(file.to_owned()))
}

#[test]
fn drizzles_journal_says_what_runs_and_in_which_order() {
    let journal = "{\"dialect\": \"postgresql\", \"entries\": [{\"idx\": 0, \"tag\": \"0001_b\"}, {\"idx\": 1, \"tag\": \"0000_a\"}]}";
    let files = [("0000_a.sql", "select 1"), ("0001_b.sql", "select 2"), ("0001_c.sql", "select 3")];
    let with = |journal| read(&[files[0], files[1], files[2], ("meta/_journal.json", journal)]);
    let (paths, findings) = with(journal);
    assert_eq!(paths, ["0001_b.sql", "0000_a.sql"]);
    assert_eq!(findings, [told("file_ignored", "0001_c.sql")]);
    let more = journal.replace("0000_a", "0009_gone");
    assert!(with(&more).1.contains(&told("journal", "meta/_journal.json")));
    assert!(with("{").1.contains(&told("journal", "meta/_journal.json")));
    assert!(with(&journal.replace("postgresql", "mysql")).1.contains(&told("journal", "meta/_journal.json")));
}

#[test]
fn of_several_kinds_of_databases_postgresql_has_its_own_files() {
    let (paths, findings) = read(&[
        ("20201110175414000000_a.postgres.up.sql", "select 1"),
        ("20201110175414000000_a.postgres.down.sql", "select 1"),
        ("20201110175414000000_a.mysql.up.sql", "select 2"),
        ("20201110175414000000_a.up.sql", "select 3"),
        ("20201110175415000000_b.up.sql", "select 4"),
        ("20201110175415000000_b.sqlite3.up.sql", "select 5"),
    ]);
    assert_eq!(paths, ["20201110175414000000_a.postgres.up.sql", "20201110175415000000_b.up.sql"]);
    assert_eq!(findings, [told("file_ignored", "20201110175414000000_a.mysql.up.sql")]);
}

#[test]
fn a_file_of_pop_that_runs_alone_has_the_place_of_its_plain_name() {
    let (paths, findings) = read(&[
        ("1_a.autocommit.up.sql", "select 3"),
        ("1_a.autocommit.down.sql", "drop index i"),
        ("1_a.cockroach.autocommit.up.sql", "select 1"),
        ("2_b.autocommit.up.sql", "select 1"),
        ("2_b.postgres.autocommit.up.sql", "select 2"),
    ]);
    assert_eq!(paths, ["1_a.autocommit.up.sql", "2_b.postgres.autocommit.up.sql"]);
    assert_eq!(findings, [told("file_ignored", "1_a.cockroach.autocommit.up.sql")]);
}

#[test]
fn the_only_file_of_a_folder_is_a_dump() {
    let (paths, findings) = read(&[("structure.sql", "create table a (id int primary key);")]);
    assert_eq!((paths, findings), (vec!["structure.sql".to_owned()], Vec::new()));
    let (_, findings) = read(&[("structure.sql", "select 1;"), ("more.sql", "select 1;")]);
    assert!(findings.contains(&told("unrecognised_file", "structure.sql")), "{findings:?}");
}

#[test]
fn numbers_can_have_dots_and_pairs_a_letter_before_them() {
    let (paths, findings) =
        read(&[("1.10_b.sql", "select 1;"), ("1.2_a.sql", "select 1;"), ("2.c.sql", "select 1;")]);
    assert_eq!(
        (paths, findings),
        (["1.2_a.sql", "1.10_b.sql", "2.c.sql"].map(str::to_owned).to_vec(), Vec::new())
    );
    let pairs =
        [("V0010.B.up.sql", "select 1;"), ("V0002.A.up.sql", "select 1;"), ("V0002.A.down.sql", "select 2;")];
    let (paths, findings) = read(&pairs);
    assert_eq!(
        (paths, findings),
        (["V0002.A.up.sql", "V0010.B.up.sql"].map(str::to_owned).to_vec(), Vec::new())
    );
}

#[test]
fn a_numbered_folder_comes_before_the_numbers_in_it() {
    let files = ["10/01_d.up.sql", "10/01_d.down.sql", "2/02_c.up.sql", "2/01_b.up.sql", "0/09_a.up.sql"];
    let (paths, findings) = read(&files.map(|path| (path, "select 1;")));
    let expect =
        ["0/09_a.up.sql", "2/01_b.up.sql", "2/02_c.up.sql", "10/01_d.up.sql"].map(str::to_owned).to_vec();
    assert_eq!((paths, findings), (expect, Vec::new()));
}

#[test]
fn up_and_down_at_the_end_of_a_name_are_a_pair_if_all_names_end_so() {
    let files = [
        ("1-a-up.sql", "select 1;"),
        ("1-a-down.sql", "select 2;"),
        ("2-b-up.sql", "select 3;"),
        ("2-b-down.sql", "select 4;"),
    ];
    let (paths, findings) = read(&files);
    assert_eq!((paths, findings), (["1-a-up.sql", "2-b-up.sql"].map(str::to_owned).to_vec(), Vec::new()));
    let (paths, findings) = read(&[("1_a.sql", "select 1;"), ("2_scale_down.sql", "select 2;")]);
    assert_eq!((paths, findings), (["1_a.sql", "2_scale_down.sql"].map(str::to_owned).to_vec(), Vec::new()));
    let (paths, findings) = read(&[("1_scale_up.sql", "select 1;"), ("2_scale_down.sql", "select 2;")]);
    assert_eq!(
        (paths, findings),
        (["1_scale_up.sql", "2_scale_down.sql"].map(str::to_owned).to_vec(), Vec::new())
    );
}

#[test]
fn flyways_newest_baseline_takes_the_place_of_what_came_before_it() {
    let files =
        ["V1__a.sql", "U1__a.sql", "V2__b.sql", "B2__all.sql", "B1__old.sql", "V3__c.sql", "R__v.sql"];
    let (paths, findings) = read(&files.map(|path| (path, "select 1;")));
    assert_eq!(paths, ["B2__all.sql", "V3__c.sql", "R__v.sql"]);
    assert_eq!(findings, [told("baseline", "B1__old.sql")], "one cause, with the others behind it");
}

#[test]
fn flyways_callbacks_stand_around_its_migrations() {
    let files =
        ["afterMigrate.sql", "afterMigrateApplied__b.sql", "beforeMigrate__a.sql", "V1__a.sql", "R__v.sql"];
    let (paths, findings) = read(&files.map(|path| (path, "select 1;")));
    assert_eq!(
        paths,
        ["beforeMigrate__a.sql", "V1__a.sql", "R__v.sql", "afterMigrateApplied__b.sql", "afterMigrate.sql"]
    );
    assert_eq!(findings, []);
    let findings = read(&[("V1__a.sql", "select 1;"), ("afterEachMigrate.sql", "select 1;")]).1;
    assert_eq!(findings, [told("unrecognised_file", "afterEachMigrate.sql")]);
}

#[test]
fn times_in_folders_of_months_keep_their_order() {
    let files = ["2024/01/20240110_b.sql", "2023/12/20231201_a.sql", "2024/02/20240201_c.sql"];
    let (paths, findings) = read(&files.map(|path| (path, "select 1;")));
    assert_eq!(paths, ["2023/12/20231201_a.sql", "2024/01/20240110_b.sql", "2024/02/20240201_c.sql"]);
    assert_eq!(findings, []);
    check(&["2/9_a.sql", "10/1_b.sql"], &[("order", Some("2/9_a.sql"))]);
    let again = ["2023/12/1_a.sql", "2024/01/1_b.sql", "2024/01/2_c.sql"];
    assert_eq!(read(&again.map(|path| (path, "select 1;"))).0, again);
}

#[test]
fn two_files_of_sql_migrate_can_have_one_number() {
    let up = "-- +migrate Up\nselect 1;";
    let (paths, findings) = read(&[("10-c.sql", up), ("9-b.sql", up), ("9-a.sql", up)]);
    assert_eq!(
        (paths, findings),
        (["9-a.sql", "9-b.sql", "10-c.sql"].map(str::to_owned).to_vec(), Vec::new())
    );
}

#[test]
fn folders_with_dates_are_diesels() {
    let (paths, findings) = read(&[
        ("2026-01-20-162913_b/up.sql", "select 1"),
        ("2025-12-29-110242-0000_a/up.sql", "select 1"),
        ("data.sql", "select 1"),
    ]);
    assert_eq!(paths, ["2025-12-29-110242-0000_a/up.sql", "2026-01-20-162913_b/up.sql"]);
    assert_eq!(findings, [told("file_ignored", "data.sql")]);
}
