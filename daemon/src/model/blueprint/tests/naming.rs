//! Names of files, by convention.
//! What is not clearly a migration must never be guessed into one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn check(name: &str, convention: Convention, version: Option<&str>, title: &str) {
    match read(name) {
        Name::Migration { convention: c, version: v, title: t, .. } => {
            assert_eq!((c, v.as_deref(), t.as_str()), (convention, version, title), "{name}");
        }
        other => panic!("{name} is {other:?}"),
    }
}

fn order(name: &str) -> Order {
    match read(name) {
        Name::Migration { order, .. } => order,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn names_of_flyway_are_read() {
    check("V1__identity.sql", Convention::Flyway, Some("1"), "identity");
    check("V1_2__time_entries.sql", Convention::Flyway, Some("1_2"), "time entries");
    check("V1.2__x.sql", Convention::Flyway, Some("1.2"), "x");
    check("V20240101120000__x.sql", Convention::Flyway, Some("20240101120000"), "x");
    check("R__all_reports.sql", Convention::Flyway, None, "all reports");
    assert_eq!(read("U1__identity.sql"), Name::Undo);
}

#[test]
fn names_of_sqlx_are_read() {
    check("20240101120000_add_users.sql", Convention::Sqlx, Some("20240101120000"), "add users");
    check("0001_x.up.sql", Convention::Sqlx, Some("0001"), "x");
    assert_eq!(read("0001_x.down.sql"), Name::Undo);
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
        "V99999999999999999999__x.sql",
        "R__.sql",
        "1.sql",
        "1_.sql",
        "99999999999999999999_x.sql",
    ] {
        assert!(matches!(read(broken), Name::Broken(_)), "{broken}: {:?}", read(broken));
    }
    for unknown in
        ["x.sql", "v1__x.sql", "V__x.sql", "beforeMigrate.sql", "1a_x.sql", "V1__x.SQL", "V1__x.sql.bak"]
    {
        assert_eq!(read(unknown), Name::Unknown, "{unknown}");
    }
}
