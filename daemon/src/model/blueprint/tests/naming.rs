//! Names of files, by convention. A file that is not clearly a migration must never be taken for one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn check(name: &str, shape: Shape, version: Option<&str>, title: &str) {
    match read(name) {
        Name::Migration { shape: s, version: v, title: t, .. } => {
            assert_eq!((s, v.as_deref(), t.as_str()), (shape, version, title), "{name}");
        }
        other => panic!("{name} is {other:?}"),
    }
}

fn check_undo(name: &str, of: &str) {
    match (read(name), read(of)) {
        (Name::Undo { shape, order }, Name::Migration { shape: s, order: o, .. }) => {
            assert_eq!((shape, order), (s, o))
        }
        other => panic!("{name} and {of} are {other:?}"),
    }
}

fn order(name: &str) -> MigrationOrder {
    match read(name) {
        Name::Migration { order, .. } => order,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn names_of_flyway_are_read() {
    check("V1__identity.sql", Shape::Flyway, Some("1"), "identity");
    check("V1_2__time_entries.sql", Shape::Flyway, Some("1_2"), "time entries");
    check("V1.2__x.sql", Shape::Flyway, Some("1.2"), "x");
    check("V20240101120000__x.sql", Shape::Flyway, Some("20240101120000"), "x");
    check("R__all_reports.sql", Shape::Flyway, None, "all reports");
    check_undo("U1__identity.sql", "V1__identity.sql");
}

#[test]
fn names_that_begin_with_a_number_are_read() {
    check("20240101120000_add_users.sql", Shape::Underscore, Some("20240101120000"), "add users");
    check("db/0001_x.up.sql", Shape::Pair, Some("0001"), "x");
    check("1.up.sql", Shape::Pair, Some("1"), "1");
    check("1-add-users.sql", Shape::Loose, Some("1"), "add users");
    check("01.sql", Shape::Loose, Some("01"), "01");
    check_undo("0001_x.down.sql", "1_x.up.sql");
}

#[test]
fn folders_that_are_migrations_are_read() {
    check("2024-01-01-120000_add_users/up.sql", Shape::Folder, Some("2024-01-01-120000"), "add users");
    check(
        "00000000000000_diesel_initial_setup/up.sql",
        Shape::Folder,
        Some("00000000000000"),
        "diesel initial setup",
    );
    check("migrations/2024-01-01-120000-0000_x/up.sql", Shape::Folder, Some("2024-01-01-120000-0000"), "x");
    check_undo("2024-01-01-120000_x/down.sql", "20240101120000_x/up.sql");
    assert!(order("2024-01-01-120000_b/up.sql") < order("2024-01-02-120000_a/up.sql"));
}

#[test]
fn the_order_is_by_number() {
    let sorted =
        ["V1__x.sql", "V1_1__x.sql", "V1.2__x.sql", "V2__x.sql", "V10__x.sql", "R__a.sql", "R__b.sql"];
    assert!(sorted.windows(2).all(|pair| order(pair[0]) < order(pair[1])));
    assert!(order("9_x.sql") < order("0010_x.sql"));
    for (a, b) in [("V1__a.sql", "V1_0__b.sql"), ("V1.2__a.sql", "V1_2__b.sql"), ("1_a.sql", "01_b.up.sql")] {
        assert_eq!(order(a), order(b));
    }
    assert!(order("V1__x.sql") < order("V1_0_1__x.sql"));
}

#[test]
fn other_names_are_not_guessed_at() {
    for broken in [
        "V1_x.sql",
        "V1.sql",
        "V1__.sql",
        "V1..2__x.sql",
        "V1a__x.sql",
        "V9999999999999999999999999999999__x.sql",
        "R__.sql",
        "1_.sql",
        "1__.up.sql",
        "1-.sql",
        "U1a__x.sql",
        "9999999999999999999999999999999_x.sql",
    ] {
        assert!(matches!(read(broken), Name::Broken(_)), "{broken}: {:?}", read(broken));
    }
    for unknown in [
        "x.sql",
        "v1__x.sql",
        "V__x.sql",
        "afterEachMigrate.sql",
        "1a_x.sql",
        "V1__x.SQL",
        "V1__x.sql.bak",
        "up.sql",
        "x/up.sql",
        "2024_x/extra.sql",
        "1x_y/up.sql",
    ] {
        assert_eq!(read(unknown), Name::Unknown, "{unknown}");
    }
}
