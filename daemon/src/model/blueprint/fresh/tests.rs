//! What runs for a new tenant in the place of what the files say.
#![allow(clippy::unwrap_used)]

use crate::model::blueprint::{MANIFEST, Parsed, SourceFile, parse};

fn folder(files: &[&str]) -> Parsed {
    let manifest = "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n".to_owned();
    let mut all = vec![SourceFile { path: MANIFEST.to_owned(), content: manifest }];
    for (number, content) in files.iter().enumerate() {
        all.push(SourceFile { path: format!("{}_a.sql", number + 1), content: (*content).to_owned() });
    }
    parse(&all)
}

/// What runs for a new tenant of these files, statement by statement.
#[track_caller]
fn check(files: &[&str], expect: &[&str]) {
    let parsed = folder(files);
    let blueprint = parsed.blueprint.unwrap();
    let fresh = blueprint.in_one_transaction().unwrap();
    let texts: Vec<String> = fresh.iter().flat_map(|one| one.texts()).collect();
    assert_eq!(texts, expect);
}

#[test]
fn values_become_a_part_of_create_type_in_their_order() {
    check(
        &[
            "create type mood as enum ('sad', 'ok');\ncreate table a (m mood);",
            "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fine' AFTER 'sad';\nalter type \"mood\" add value 'bad' before 'sad';",
            "alter type mood add value 'happy';\ninsert into a values ('happy');",
        ],
        &[
            "create type mood as enum ('bad', 'sad', 'fine', 'ok', 'happy')",
            "create table a (m mood)",
            "insert into a values ('happy')",
        ],
    );
}

#[test]
fn a_value_is_found_by_the_name_that_its_type_and_its_neighbour_have_by_then() {
    check(
        &[
            "create type mood as enum ('sad');\nalter type mood rename value 'sad' to 'low';",
            "alter type mood rename to feeling;\nalter type feeling add value 'mid' after 'low';",
            "create type mood as enum ();\nalter type mood add value 'x';\ndrop type mood;\ncreate type mood as enum ('y');",
        ],
        &[
            "create type mood as enum ('sad', 'mid')",
            "alter type mood rename value 'sad' to 'low'",
            "alter type mood rename to feeling",
            "create type mood as enum ('x')",
            "drop type mood",
            "create type mood as enum ('y')",
        ],
    );
}

#[test]
fn types_that_a_block_makes_get_their_values_there() {
    let block = "DO $$ BEGIN\n CREATE TYPE \"a\" AS ENUM('x');\n CREATE TYPE \"b\" AS ENUM('y', 'z');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;";
    check(
        &[block, "alter type \"a\" add value 'w' before 'x';\nalter type \"b\" add value 'zz';"],
        &[&block.trim_end_matches(';').replace("('x')", "('w', 'x')").replace("'z'", "'z', 'zz'")],
    );
}

#[test]
fn where_the_order_cannot_be_told_the_statements_stay() {
    let add = "alter type mood add value 'c'";
    for between in [
        // Made with a name that was freed since.
        "alter type mood rename value 'a' to 'c2';\nalter type mood add value 'a'",
        "alter type mood add value 'b' after E'a'",
        "do $$ begin alter type mood add value 'b'; end $$",
        "do $$ begin execute format('alter type %s add value %L', 'mo' || 'od', 'b'); end $$",
        "alter type mood rename value 'no' to 'b'",
    ] {
        let files = ["create type mood as enum ('a')", between, add];
        let parsed = folder(&files);
        let blueprint = parsed.blueprint.unwrap();
        let fresh = blueprint.in_one_transaction().unwrap();
        assert!(fresh.iter().flat_map(|one| one.texts()).any(|text| text == add), "{between}");
    }
    // It is not the version's own.
    check(&[add], &[add]);
}

#[test]
fn one_value_twice_is_left_to_the_server_unless_the_statement_allows_it() {
    let make = "create type mood as enum ('a')";
    check(&[make, "alter type mood add value if not exists 'a'"], &[make]);
    let again = "alter type mood add value 'a'";
    check(&[make, again], &[make, again]);
}

#[test]
fn a_file_outside_is_part_of_the_one_transaction_unless_it_adds_a_value_that_stays() {
    let index = "-- no-transaction\ncreate index concurrently b on a (id);\nvacuum a;";
    let table = "create table a (id int primary key)";
    check(&[table, index], &[table, "create index b on a (id)"]);
    let value = "-- no-transaction\nalter type mood add value 'b';";
    assert_eq!(folder(&[table, value]).blueprint.unwrap().fresh, None);
    check(&["create type mood as enum ('a')", value], &["create type mood as enum ('a', 'b')"]);
    // Any file behind a file outside could use the value.
    let parsed = folder(&[table, index, "alter type mood add value 'b'"]);
    assert_eq!(parsed.blueprint.unwrap().fresh, None);
}

#[test]
fn a_value_that_is_used_is_a_warning_only_where_it_is_added_in_place() {
    let codes = |files: &[&str]| {
        let findings = folder(files).findings;
        findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    let add = "alter type mood add value 'b';\ncreate table a (id int primary key, m mood default 'b');";
    assert_eq!(codes(&["create type mood as enum ('a')", add]), ["enum_value"]);
    assert_eq!(codes(&[add]), ["enum_value_used"]);
}

#[test]
fn what_reads_all_values_or_makes_a_type_anew_keeps_later_values_in_their_place() {
    let add = "alter type mood add value 'c'";
    for (files, why) in [
        (
            ["create type mood as enum ('a')", "insert into t select unnest(enum_range(null::mood))"],
            "read before",
        ),
        (
            [
                "create type mood as enum ('a')",
                "do $$ begin drop type mood; create type mood as enum ('b'); end $$",
            ],
            "made anew",
        ),
        (
            [
                "do $$ begin if not exists (select 1) then create type mood as enum ('a'); end if; end $$",
                "do $$ begin create type mood as enum ('a'); exception when duplicate_object then null; end $$",
            ],
            "made under a condition",
        ),
    ] {
        let parsed = folder(&[files[0], files[1], add]);
        let blueprint = parsed.blueprint.unwrap();
        let fresh = blueprint.in_one_transaction().unwrap();
        assert!(fresh.iter().flat_map(|one| one.texts()).any(|text| text == add), "{why}");
    }
    // Read when all values are there.
    check(
        &["create type mood as enum ('a')", add, "insert into t select unnest(enum_range(null::mood))"],
        &["create type mood as enum ('a', 'c')", "insert into t select unnest(enum_range(null::mood))"],
    );
}
