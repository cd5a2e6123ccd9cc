//! What runs otherwise than a file says, and what is told of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tests::{GOOD_MANIFEST, file, summary, with_manifest};
use super::*;
use tenantry_protocol::plan::Severity;

#[test]
fn a_file_with_a_way_down_of_another_tool_is_refused_and_not_run_both_ways() {
    let sql = "create table a (id int primary key);\n-- //@UNDO\ndrop table a;";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
    assert_eq!(summary(&parsed)[0], "foreign_format 1_a.sql:2");
    assert!(parsed.findings[0].message.contains("MyBatis Migrations"), "{:?}", parsed.findings);
}

#[test]
fn begin_and_commit_around_a_file_are_left_out_and_told() {
    let sql = "begin;\ncreate table a (id int primary key);\ncommit;";
    let parsed =
        parse(&with_manifest(&[("1_a.up.sql", sql), ("1_a.down.sql", "begin; drop table a; commit;")]));
    assert_eq!(summary(&parsed), ["own_transaction 1_a.up.sql:1"]);
    assert_eq!(parsed.findings[0].severity, Severity::Ok);
    let migration = &parsed.blueprint.unwrap().migrations[0];
    let texts = |file: &Migration| file.statements.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(migration), ["create table a (id int primary key)"]);
    assert_eq!(migration.content.as_ref(), sql);
    assert_eq!(texts(migration.way_back.as_ref().unwrap()), ["drop table a"]);
}

#[test]
fn placeholders_of_flyway_have_the_values_of_the_manifest_everywhere() {
    let sql = "create table ${prefix}_a (id int primary key, env text default '${env}');";
    let with = |values: &str, path: &str| {
        let manifest = format!("{GOOD_MANIFEST}[placeholders]\n{values}\n");
        parse(&[file(path, sql), file("U1__a.sql", "drop table ${prefix}_a"), file(MANIFEST, &manifest)])
    };
    let parsed = with("prefix = \"shop\"\nenv = \"prod\"", "V1__a.sql");
    assert_eq!(parsed.findings, []);
    let migration = &parsed.blueprint.unwrap().migrations[0];
    let expect = "create table shop_a (id int primary key, env text default 'prod')";
    assert_eq!(
        (migration.statements[0].text.as_str(), migration.sql.as_ref()),
        (expect, format!("{expect};").as_str())
    );
    assert_eq!(migration.content.as_ref(), sql);
    assert_eq!(migration.way_back.as_ref().unwrap().statements[0].text, "drop table shop_a");
    // In a text, too, nothing is stored as it stands.
    let parsed = with("prefix = \"shop\"", "V1__a.sql");
    assert_eq!(summary(&parsed), ["placeholder V1__a.sql:1"]);
    assert!(parsed.findings[0].message.ends_with("[placeholders]\nenv = \"…\""), "{:?}", parsed.findings);
    let parsed = with("prefix = \"a\\nb\"\nenv = 1\n\"a b\" = \"\"", "V1__a.sql");
    assert_eq!(parsed.findings.iter().filter(|finding| finding.code == "manifest").count(), 3);
}
