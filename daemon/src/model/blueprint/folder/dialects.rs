//! Names that another file explains. db-migrate has `1-a-up.sql` and `1-a-down.sql`, which is a pair only because both are there.
//!
//! Folders of Ory's pop have a file for each kind of database: `1_a.postgres.up.sql` beside `1_a.mysql.up.sql`, and `1_a.up.sql` for
//! those that have none of their own.

use std::collections::BTreeSet;

use super::Files;
use crate::model::blueprint::MANIFEST;
use crate::model::blueprint::findings::Findings;

const OTHERS: [&str; 6] = ["cockroach", "mariadb", "mysql", "sqlite", "sqlite3", "sqlserver"];
const OURS: [&str; 2] = ["postgres", "postgresql"];
/// As many names as are helpful; the rest are counted.
const SHOWN: usize = 5;

/// What pop says of a file that it runs without a transaction.
const ALONE: &str = ".autocommit";

/// The path without the name of a database, and that name: `1_a.up.sql` and `mysql` for `1_a.mysql.up.sql`.
fn split(path: &str) -> Option<(String, &str)> {
    let (stem, end) = ends(path)?;
    let stem = stem.strip_suffix(ALONE).unwrap_or(stem);
    let (base, dialect) = stem.rsplit_once('.')?;
    (OTHERS.contains(&dialect) || OURS.contains(&dialect)).then(|| (format!("{base}{end}"), dialect))
}

/// The path by which a file is read, if it is for PostgreSQL alone: that without the name of the database.
fn plain_path(path: &str) -> Option<String> {
    split(path).filter(|(_, dialect)| OURS.contains(dialect)).map(|(plain, _)| plain)
}

/// The path by which a file of these is read, where it says more than its name does alone.
pub(super) fn read_as(path: &str, files: &Files<'_>) -> Option<String> {
    plain_path(path).or_else(|| without_alone(path)).or_else(|| paired(path, files))
}

/// `1-a.up.sql` for `1-a-up.sql`, if there is a `1-a-down.sql`, and the other way round.
fn paired(path: &str, files: &Files<'_>) -> Option<String> {
    let pair = |own: &str, other: &str| {
        ['-', '_'].into_iter().find_map(|hyphen| {
            let base = path.strip_suffix(".sql")?.strip_suffix(own)?.strip_suffix(hyphen)?;
            let partner = [base, &hyphen.to_string(), other, ".sql"].concat();
            files.contains_key(partner.as_str()).then(|| [base, ".", own, ".sql"].concat())
        })
    };
    pair("up", "down").or_else(|| pair("down", "up"))
}

/// The path without the direction, and that.
fn ends(path: &str) -> Option<(&str, &str)> {
    [".up.sql", ".down.sql"].into_iter().find_map(|end| Some((path.strip_suffix(end)?, end)))
}

/// `1_a.up.sql` for `1_a.autocommit.up.sql`.
fn without_alone(path: &str) -> Option<String> {
    let (stem, end) = ends(path)?;
    Some(format!("{}{end}", stem.strip_suffix(ALONE)?))
}

/// Leaves out the files for other databases, and those that PostgreSQL has a file of its own for, and names them.
pub(super) fn keep_ours<'a>(files: &Files<'a>, findings: &mut Findings) -> Files<'a> {
    let own: BTreeSet<String> = files.keys().filter_map(|path| plain_path(path)).collect();
    let is_for_another = |path: &str| match split(path) {
        Some((_, dialect)) => OTHERS.contains(&dialect),
        None => own.contains(without_alone(path).as_deref().unwrap_or(path)),
    };
    let left_out: Vec<&str> = files.keys().copied().filter(|path| is_for_another(path)).collect();
    if let Some(first) = left_out.first() {
        let shown = left_out[..left_out.len().min(SHOWN)].join(", ");
        let more = match left_out.len() - left_out.len().min(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!("left out, since they are for other databases than PostgreSQL: {shown}{more}");
        findings.file_warning("file_ignored", first, message);
    }
    files
        .iter()
        .filter(|(path, _)| **path == MANIFEST || !is_for_another(path))
        .map(|(path, file)| (*path, *file))
        .collect()
}
