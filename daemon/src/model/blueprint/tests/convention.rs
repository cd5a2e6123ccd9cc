//! Conventions: which one a folder follows, and which files do not go together. Each case lists a folder's files; the
//! text after a space is the content of the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::naming::{self, Name};
use crate::model::blueprint::sections::markers;

/// The convention of these files, or the two that do not fit: `a.sql (tool), b.sql (tool)`.
fn detected(files: &[&str]) -> String {
    let evidence: Vec<Evidence<'_>> = files
        .iter()
        .map(|file| {
            let (path, content) = file.split_once(' ').unwrap_or((file, ""));
            match naming::read(path) {
                Name::Migration { shape, .. } => Evidence { path, shape, marker: markers(content).next() },
                other => panic!("{path} is {other:?}"),
            }
        })
        .collect();
    match detect(&evidence) {
        Ok(Some(convention)) => convention.to_string(),
        Ok(None) => String::new(),
        Err(Mix { first, second }) => format!("{} ({}), {} ({})", first.0, first.1, second.0, second.1),
    }
}

fn check(expect: &str, files: &[&str]) {
    assert_eq!(detected(files), expect, "{files:?}");
}

#[test]
fn each_tool_is_known_by_its_files() {
    check("flyway", &["R__reports.sql", "V1__a.sql", "V2_1__b.sql"]);
    check("sqlx", &["20240101120000_a.sql", "20240102120000_b.sql"]);
    check("sqlx", &["20240101120000_a.sql", "20240102120000_b.up.sql"]);
    check("sqlx", &["0001_a.sql"]);
    check("dbmate", &["20240101120000_a.sql -- migrate:up", "20240102120000_b.sql -- x\n--migrate:up x:y"]);
    check("goose", &["00001_a.sql -- +goose Up", "20240102120000_b.sql \u{feff}-- +goose NO TRANSACTION"]);
    check("golang-migrate", &["000001_a.up.sql", "000002_b.up.sql"]);
    check(
        "diesel",
        &["00000000000000_setup/up.sql", "2024-01-01-120000_a/up.sql", "2024-01-02-120000-0000_b/up.sql"],
    );
    check("numbered", &["001_a.sql", "2-b.sql", "03.sql"]);
    check("numbered", &["1.sql"]);
    check("dated", &["2024-01-01_a.sql", "2024-01-02-b.sql", "2024-01-02-1200_c.sql", "2024-01-03.sql"]);
    check("prisma", &["20240101120000_a/migration.sql", "20240101120000_b/migration.sql"]);
    check(
        "node-pg-migrate",
        &["1704103200000_a.sql -- Up Migration", "1704103200001-b.sql ---- up migration x"],
    );
    check("", &[]);
}

#[test]
fn files_without_the_markers_of_their_folder_are_its_files_all_the_same() {
    check("goose", &["00001_a.sql -- +goose Up", "00002_b.sql select 1;"]);
    check("dbmate", &["1.sql select 1;", "2.sql -- migrate:up"]);
}

#[test]
fn a_mix_names_two_files_and_how_each_is_written() {
    let open = "sqlx or plain numbered files";
    check(&format!("V1__a.sql (Flyway), 2_b.sql ({open})"), &["V1__a.sql", "2_b.sql"]);
    check("1_a.sql (dbmate), 2_b.sql (goose)", &["1_a.sql -- migrate:up", "2_b.sql -- +goose Up"]);
    check("1_a.up.sql (golang-migrate or sqlx), 2-b.sql (plain numbered files)", &["1_a.up.sql", "2-b.sql"]);
    check("1_a.up.sql (golang-migrate or sqlx), V2__b.sql (Flyway)", &["1_a.up.sql", "V2__b.sql"]);
    check(&format!("1_a/up.sql (diesel or Hasura), 2_b.sql ({open})"), &["1_a/up.sql", "2_b.sql"]);
    check(
        "2024-01-01_a.sql (files named by dates), 20240102_b.sql (sqlx or plain numbered files)",
        &["2024-01-01_a.sql", "20240102_b.sql"],
    );
    check("1_a.sql (goose), 2-b.sql (plain numbered files)", &["1_a.sql -- +goose Up", "2-b.sql"]);
    check("1_a.up.sql (golang-migrate or sqlx), 2_b.sql (goose)", &["1_a.up.sql", "2_b.sql -- +goose Up"]);
}

#[test]
fn every_convention_is_called_as_the_manifest_calls_it() {
    for (name, convention) in CONVENTIONS {
        assert_eq!(Convention::from_name(name), Some(*convention));
        assert_eq!(convention.to_string(), *name);
        match naming::read(convention.example()) {
            Name::Migration { shape, .. } => assert!(convention.takes(shape), "{name}"),
            // Any name will do for the only file of a folder.
            Name::Unknown => assert!(convention.takes(Shape::Whole), "{name}"),
            other => panic!("the example of {name} is {other:?}"),
        }
    }
    assert_eq!(Convention::from_name("liquibase"), None);
}
