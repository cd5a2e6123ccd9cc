//! From files to a blueprint: order, checksums, and findings that do not hide each other.
//! Each case goes through the same call as an upload.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::SqlText;
use tenantry_protocol::plan::{Finding, Severity};

pub(super) const GOOD_MANIFEST: &str = "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n";

pub(super) fn file(path: &str, content: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), content: content.to_owned() }
}

pub(super) fn with_manifest(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let sql = files.iter().map(|(path, content)| file(path, content));
    sql.chain([file(MANIFEST, GOOD_MANIFEST)]).collect()
}

pub(super) fn summary(parsed: &Parsed) -> Vec<String> {
    let place = |f: &Finding| format!("{}:{}", f.file.as_deref().unwrap_or("-"), f.line.unwrap_or(0));
    parsed.findings.iter().map(|f| format!("{} {}", f.code, place(f))).collect()
}

#[test]
fn migrations_come_in_their_order_whatever_the_upload_has() {
    let mut files =
        with_manifest(&[("V10__c.sql", "select 3"), ("R__z.sql", "select 4"), ("V2__b.sql", "select 2;")]);
    let parsed = parse(&files);
    let paths: Vec<_> =
        parsed.blueprint.as_ref().unwrap().migrations.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(paths, ["V2__b.sql", "V10__c.sql", "R__z.sql"]);
    files.reverse();
    assert_eq!(parse(&files), parsed);
}

#[test]
fn the_checksum_covers_manifest_migrations_and_seed() {
    let sum = |files: &[SourceFile]| parse(files).blueprint.unwrap().checksum;
    let files = with_manifest(&[("V1__a.sql", "select 1")]);
    assert_ne!(sum(&files), sum(&with_manifest(&[("V1__a.sql", "select 1 ")])));
    assert_eq!(sum(&files), sum(&with_manifest(&[("V1__a.sql", "select 1"), ("README.md", "x")])));
    let mut other_manifest = files.clone();
    other_manifest[1].content.push('\n');
    assert_ne!(sum(&files), sum(&other_manifest));
}

#[test]
fn without_a_manifest_there_is_no_blueprint_but_the_files_are_still_read() {
    let parsed = parse(&[file("V1__a.sql", "select 1;\n commit;")]);
    assert_eq!(parsed.blueprint, None);
    assert_eq!(summary(&parsed), ["no_manifest -:0", "transaction_control V1__a.sql:2"]);
    assert_eq!(summary(&parse(&[])), ["no_manifest -:0", "no_migrations -:0"]);
    // The text that it shows can be pasted without changes.
    let pasted: Vec<&str> = parsed.findings[0].message.lines().skip(1).collect();
    let files = [file(MANIFEST, &pasted.join("\n")), file("V1__a.sql", "select 1;")];
    assert_eq!(summary(&parse(&files)), [""; 0]);
}

#[test]
fn faults_do_not_hide_each_other() {
    let parsed = parse(&with_manifest(&[
        ("V1__a.sql", "create table a (x int);\ncommit;"),
        ("V2__b.sql", "select 1;\n\nselect 'open"),
        ("V3__c.sql", "\\i other.sql"),
        ("V4__d.sql", "-- nothing yet\n"),
        ("V5__e.sql", "copy a from stdin;\n1\n\\.\n"),
        ("odd.sql", "select 1"),
    ]));
    assert!(parsed.blueprint.is_some());
    assert_eq!(
        summary(&parsed),
        [
            "transaction_control V1__a.sql:2",
            "unterminated V2__b.sql:3",
            "psql_command V3__c.sql:1",
            "copy_from_stdin V5__e.sql:1",
            "unrecognised_file odd.sql:0",
            "no_primary_key V1__a.sql:1",
            "empty_file V4__d.sql:0",
        ]
    );
}

#[test]
fn files_of_other_tools_are_not_run_up_and_down() {
    let create = "create table a (x int primary key);";
    for (path, marker) in [
        ("20240101120000_a.sql", "  -- !Ups"),
        ("V1__a.sql", "-- migrate:up"),
        ("V1__a.sql", "-- +goose Up"),
        ("1_a.up.sql", "--migrate:down"),
        ("2024-01-01-120000_a/up.sql", "-- +goose Up"),
    ] {
        let parsed = parse(&with_manifest(&[(path, &format!("-- x\n{marker}\n{create}"))]));
        assert_eq!(summary(&parsed), [format!("foreign_format {path}:2")], "{marker}");
    }
    // Also below a directive of the folder's own tool.
    let both = format!("-- migrate:up\n{create}\n-- +goose Down\ndrop table a;");
    assert_eq!(summary(&parse(&with_manifest(&[("1_a.sql", &both)]))), ["foreign_format 1_a.sql:3"]);
}

#[test]
fn what_takes_a_file_back_does_not_run_with_it() {
    let parsed = parse(&with_manifest(&[
        (
            "00002_b.sql",
            "-- +goose Up\ncreate table b (x int primary key);\n-- +goose Down\ndrop table b;\ncommit;",
        ),
        ("00010_c.sql", "-- +goose Up\ninsert into b values (1);\n"),
        ("00001_a.sql", "-- a\n-- +goose Up\ncreate table a (x int primary key);"),
    ]));
    assert_eq!(summary(&parsed), ["no_way_back 00002_b.sql:5"]);
    let blueprint = parsed.blueprint.unwrap();
    let files: Vec<_> = blueprint.migrations.iter().map(|m| (m.path.as_str(), m.sql.as_ref())).collect();
    assert_eq!(
        files,
        [
            ("00001_a.sql", "create table a (x int primary key);"),
            ("00002_b.sql", "create table b (x int primary key);\n"),
            ("00010_c.sql", "insert into b values (1);\n"),
        ]
    );
    assert_eq!((blueprint.tables, blueprint.migrations[0].statements[0].line), (2, 3));
    // The whole file is stored, so that the blueprint can be read again.
    assert_eq!(parse(&blueprint.source_files()).blueprint, Some(blueprint));
}

#[test]
fn each_tool_has_its_way_back() {
    let create = "create table a (x int primary key);";
    let (dbmate, goose) = (
        format!("-- migrate:up\n{create}\n-- migrate:down\ndrop table a;"),
        format!(
            "-- +goose Up\n{create}\n-- +goose Down\n-- +goose StatementBegin\ndrop table a;\n-- +goose StatementEnd\n"
        ),
    );
    for (path, content, undo) in [
        ("V1__a.sql", create, Some("U1__b.sql")),
        ("1_a.up.sql", create, Some("1_a.down.sql")),
        ("2024-01-01-120000_a/up.sql", create, Some("2024-01-01-120000_a/down.sql")),
        ("1_a.sql", &dbmate, None),
        ("1_a.sql", &goose, None),
    ] {
        let undone = undo.map(|undo| (undo, "\ndrop table a;"));
        let files: Vec<_> = [(path, content)].into_iter().chain(undone).collect();
        let parsed = parse(&with_manifest(&files));
        assert_eq!(summary(&parsed), [""; 0], "{path}");
        let blueprint = parsed.blueprint.unwrap();
        let file = &blueprint.migrations[0];
        let way_back = file.way_back.as_deref().unwrap();
        assert_eq!(way_back.path, undo.unwrap_or(path));
        assert_eq!(way_back.takes_back.as_deref(), Some(path));
        let texts: Vec<_> = way_back.statements.iter().map(|one| one.text.trim_end_matches(';')).collect();
        assert_eq!(texts, ["drop table a"], "{path}");
        assert_eq!(
            way_back.statements[0].line,
            if undo.is_some() {
                2
            } else {
                content.lines().position(|line| line.starts_with("drop")).unwrap() as u32 + 1
            }
        );
        // It is beside the version, and its checksum does not change with it.
        assert_eq!(blueprint.undo_files().len(), usize::from(undo.is_some()));
        let alone = parse(&blueprint.source_files()).blueprint.unwrap();
        assert_eq!(alone.checksum, blueprint.checksum);
        assert_eq!(alone.migrations[0].way_back.is_some(), undo.is_none(), "{path}");
    }
}

#[test]
fn a_way_back_that_one_transaction_cannot_take_is_left_out_with_its_reason() {
    for (undo, line, why) in [
        ("drop table a;\ncommit;", 2, "transaction"),
        ("-- no-transaction\ndrop table a;", 1, "outside"),
        ("drop index concurrently i;", 1, "transaction"),
        ("-- tenantry: batched\ndelete from a;", 2, "batches"),
        ("drop table 'a;", 1, "never ends"),
        ("-- migrate:down\ndrop table a;", 1, "dbmate"),
        ("set role x;", 1, ""),
    ] {
        let files = [("V1__a.sql", "create table a (x int primary key);"), ("U1__a.sql", undo)];
        let parsed = parse(&with_manifest(&files));
        assert_eq!(summary(&parsed), [format!("no_way_back U1__a.sql:{line}")], "{undo}");
        assert!(parsed.findings[0].message.contains(why), "{}", parsed.findings[0].message);
        assert_eq!(parsed.findings[0].severity, Severity::Warning);
        assert!(parsed.blueprint.unwrap().migrations[0].way_back.is_none());
    }
    let outside = "-- migrate:up\ncreate table a (x int primary key);\n-- migrate:down transaction:false\ndrop table a;";
    assert_eq!(summary(&parse(&with_manifest(&[("1_a.sql", outside)]))), ["no_way_back 1_a.sql:3"]);
    // Tools write an empty way down into each new file.
    let empty = "-- migrate:up\ncreate table a (x int primary key);\n-- migrate:down\n\n";
    let parsed = parse(&with_manifest(&[("1_a.sql", empty)]));
    assert_eq!(summary(&parsed), [""; 0]);
    assert!(parsed.blueprint.unwrap().migrations[0].way_back.is_none());
}

#[test]
fn each_tool_has_its_way_to_take_a_file_out_of_the_transaction() {
    const INDEX: &str = "create index concurrently i on a (x);";
    const TABLE: &str = "create table a (x int primary key);";
    let goose = |sql: &str| format!("-- +goose Up\n{sql}");
    for (first, path, content, companion) in [
        (("1_a.sql", TABLE.to_owned()), "2_i.sql", format!("-- no-transaction\n{INDEX}"), None),
        (("1_a.up.sql", TABLE.to_owned()), "2_i.up.sql", format!("{INDEX}\n"), None),
        (("1_a.sql", goose(TABLE)), "2_i.sql", format!("-- +goose NO TRANSACTION\n{}", goose(INDEX)), None),
        (
            ("1_a.sql", format!("-- migrate:up\n{TABLE}")),
            "2_i.sql",
            format!("-- migrate:up transaction:false\n{INDEX}"),
            None,
        ),
        (
            ("1_a/up.sql", TABLE.to_owned()),
            "2_i/up.sql",
            INDEX.to_owned(),
            Some(("2_i/metadata.toml", "# x\nrun_in_transaction = false # x\n")),
        ),
        (
            ("V1__a.sql", TABLE.to_owned()),
            "V2__i.sql",
            INDEX.to_owned(),
            Some(("V2__i.sql.conf", "executeInTransaction=false\n")),
        ),
    ] {
        let files: Vec<_> =
            [(first.0, first.1.as_str()), (path, content.as_str())].into_iter().chain(companion).collect();
        let parsed = parse(&with_manifest(&files));
        let line = if content.starts_with("-- ") { content.lines().count() } else { 1 };
        assert_eq!(summary(&parsed), [format!("in_transaction {path}:{line}")], "{content}");
        let blueprint = parsed.blueprint.unwrap();
        let names = |files: &[Migration]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
        assert_eq!(
            (names(blueprint.inside()), names(blueprint.outside())),
            (vec![first.0.to_owned()], vec![path.to_owned()])
        );
        assert_eq!(parse(&blueprint.source_files()).blueprint, Some(blueprint), "{path}");
    }
}

#[test]
fn what_takes_a_file_out_is_a_part_of_the_checksum() {
    let parsed = |conf: &str| {
        let files = [("V1__a.sql", "vacuum a;"), ("V1__a.sql.conf", conf)];
        parse(&with_manifest(&files)).blueprint.unwrap().checksum
    };
    let plain = parse(&with_manifest(&[("V1__a.sql", "vacuum a;")])).blueprint.unwrap().checksum;
    assert_ne!(parsed("executeInTransaction=false"), plain);
    assert_ne!(parsed("executeInTransaction=false"), parsed("executeInTransaction = FALSE"));
    // A companion file that changes nothing is not part of the blueprint.
    assert_eq!(parsed("executeInTransaction=true"), plain);
}

#[test]
fn a_mark_where_it_means_nothing_is_refused_with_its_line() {
    for (path, content, expect) in [
        ("1_a.sql", "-- x\n-- no-transaction\nvacuum a;", "no_transaction 1_a.sql:2"),
        ("V1__a.sql", "\u{feff}-- x\r\n\r\n-- no-transaction\r\nselect 1;", "no_transaction V1__a.sql:3"),
        ("1_a/up.sql", "-- no-transaction\nselect 1;", "no_transaction 1_a/up.sql:1"),
        ("1_a.sql", "-- no-transaction\nvacuum a;\nselect 1;", "outside_statement 1_a.sql:3"),
        ("1_a.up.sql", "vacuum a; select 1;", "not_transactional 1_a.up.sql:1"),
        ("1_a.sql", "-- no-transaction\n-- tenantry: bached\nupdate a set b = 1;", "directive 1_a.sql:2"),
        ("1_a.sql", "-- no-transaction\nupdate a set b = 1;", "outside_statement 1_a.sql:2"),
        ("1_a.sql", "-- tenantry: batched\n\nupdate a set b = 1;", "directive 1_a.sql:3"),
        ("1_a.sql", "-- no-transaction\n-- tenantry: batched\ndelete from a;", "outside_statement 1_a.sql:3"),
    ] {
        let summary = summary(&parse(&with_manifest(&[(path, content)])));
        assert_eq!(summary.first().map(String::as_str), Some(expect), "{content}: {summary:?}");
    }
    // After the first statement it is an ordinary comment.
    assert_eq!(summary(&parse(&with_manifest(&[("1_a.sql", "select 1;\n-- no-transaction\n")]))), [""; 0]);
    let conf = ("V1__a.sql.conf", "# ours\nencoding = UTF-8\nshouldExecute=false\n");
    let parsed = parse(&with_manifest(&[("V1__a.sql", "select 1;"), conf]));
    assert_eq!(summary(&parsed), ["setting_ignored V1__a.sql.conf:3"]);
}

#[test]
fn a_value_added_outside_can_be_used_behind() {
    for make in
        ["create type mood as enum ('sad')", "do $$ begin execute 'create type mood as enum ()'; end $$"]
    {
        let parsed = parse(&with_manifest(&[
            ("1_a.sql", make),
            ("2_b.sql", "-- no-transaction\nalter type mood add value 'ok';"),
            ("3_c.sql", "create table a (x mood primary key default 'ok');"),
        ]));
        let faults = parsed.findings.iter().filter(|finding| finding.severity != Severity::Ok);
        assert_eq!(faults.count(), 0, "{make}: {:?}", parsed.findings);
    }
}

#[test]
fn lines_are_those_of_the_file_in_sections_too() {
    let up = "\u{feff}-- ä\r\n-- +goose Up\r\n";
    for (sql, expect) in [
        ("select 1;\r\n\\i x.sql\r\n", "psql_command 1_a.sql:4"),
        ("copy a from stdin;\r\n1\r\n\\.\r\n", "copy_from_stdin 1_a.sql:3"),
        ("\r\ncommit;", "transaction_control 1_a.sql:4"),
        ("do $x$ begin\r\n", "unterminated 1_a.sql:3"),
        (
            "select 1\r\n-- +goose StatementBegin\r\n+ 2;\r\n-- +goose StatementEnd",
            "statement_block 1_a.sql:4",
        ),
        ("select '\r\n-- +goose Down\r\n';", "unterminated 1_a.sql:3"),
        ("-- +goose Down\r\nselect 1;", "empty_file 1_a.sql:2"),
    ] {
        assert_eq!(summary(&parse(&with_manifest(&[("1_a.sql", &format!("{up}{sql}"))]))), [expect], "{sql}");
    }
}

#[test]
fn the_manifest_may_say_the_convention() {
    let check = |convention: &str, files: &[(&str, &str)], expect: &[&str]| {
        let manifest = format!("{GOOD_MANIFEST}convention = \"{convention}\"\n");
        let sql = files.iter().map(|(path, content)| file(path, content));
        let files: Vec<SourceFile> = sql.chain([file(MANIFEST, &manifest)]).collect();
        assert_eq!(summary(&parse(&files)), expect, "{convention}");
    };
    check("goose", &[("1_a.sql", "select 1;")], &["missing_up 1_a.sql:1"]);
    check("sqlx", &[("1_a.sql", "-- +goose Up\nselect 1;")], &["foreign_format 1_a.sql:1"]);
    check("numbered", &[("1_a.sql", "select 1;"), ("2.sql", "select 1")], &[]);
    check("sqlx", &[("1_a.sql", "select 1;"), ("2.sql", "select 1")], &["mixed_conventions 2.sql:0"]);
    check("flyway", &[("V1__a.sql", "select 1;"), ("2_a.up.sql", "x")], &["mixed_conventions 2_a.up.sql:0"]);
    check("rails", &[("1_a.sql", "select 1;")], &["manifest blueprint.toml:4"]);
}

#[test]
fn a_seed_that_is_missing_is_named() {
    let manifest =
        format!("{GOOD_MANIFEST}seed = [\n \"seed/b.sql\",\n \"seed/a.sql\", \"x.csv\", \"no.sql\"]\n");
    let sql = "insert into a values (1)";
    let files = [
        file(MANIFEST, &manifest),
        file("V1__a.sql", "create table a (x int primary key)"),
        file("seed/a.sql", sql),
        file("seed/b.sql", sql),
        file("x.csv", ""),
    ];
    let parsed = parse(&files);
    assert_eq!(summary(&parsed), ["seed_file blueprint.toml:6", "seed_file blueprint.toml:6"]);
    let blueprint = parsed.blueprint.unwrap();
    let seed: Vec<_> = blueprint.seed.iter().map(|m| (m.path.as_str(), m.title.as_str())).collect();
    assert_eq!(seed, [("seed/b.sql", "b"), ("seed/a.sql", "a")]);
}

#[test]
fn a_blueprint_goes_over_the_wire_with_or_without_its_sql() {
    let blueprint =
        parse(&with_manifest(&[("V1__time_entries.sql", "select 1; select 'ä'")])).blueprint.unwrap();
    let wire = blueprint.to_wire(SqlText::Omitted, None);
    assert_eq!(wire.checksum, blueprint.checksum.to_string());
    assert!(wire.settings.contains_key("connection_limit"));
    let file = &wire.migrations[0];
    assert_eq!((file.title.as_str(), file.statements, file.bytes, &file.sql), ("time entries", 2, 21, &None));
    let full = blueprint.to_wire(SqlText::Included, None);
    assert_eq!(full.migrations[0].sql.as_deref(), Some("select 1; select 'ä'"));
}

#[test]
fn a_flood_of_findings_is_bounded_and_keeps_its_errors() {
    let flood: String =
        (0..5_000).map(|n| format!("grant select on a to b;\ncreate table t{n} ();\n")).collect();
    let findings = parse(&with_manifest(&[("V1__a.sql", &format!("{flood}commit;"))])).findings;
    assert_eq!(findings.len(), 302);
    assert_eq!((findings[0].code.as_str(), findings[0].line), ("transaction_control", Some(10_001)));
    assert_eq!(findings[301].code, "more_findings");
    let grants: Vec<&Finding> = findings.iter().filter(|one| one.code == "grant_to_role").collect();
    assert_eq!((grants.len(), grants[0].line), (1, Some(1)), "one cause is told once");
    let places = " (also V1__a.sql:3, V1__a.sql:5, V1__a.sql:7, V1__a.sql:9, V1__a.sql:11 and 4994 more)";
    assert!(grants[0].message.ends_with(places), "{}", grants[0].message);
}
