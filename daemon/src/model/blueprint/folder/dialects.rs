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

/// The path without the name of a database, and that name: `1_a.up.sql` and `mysql` for `1_a.mysql.up.sql`.
fn split(path: &str) -> Option<(String, &str)> {
    let (stem, end) =
        [".up.sql", ".down.sql"].into_iter().find_map(|end| Some((path.strip_suffix(end)?, end)))?;
    let (base, dialect) = stem.rsplit_once('.')?;
    (OTHERS.contains(&dialect) || OURS.contains(&dialect)).then(|| (format!("{base}{end}"), dialect))
}

/// The path by which a file is read, if it is for PostgreSQL alone: that without the name of the database.
pub(super) fn plain_path(path: &str) -> Option<String> {
    split(path).filter(|(_, dialect)| OURS.contains(dialect)).map(|(plain, _)| plain)
}

/// Leaves out the files for other databases, and those that PostgreSQL has a file of its own for, and names them.
pub(super) fn keep_ours<'a>(files: &Files<'a>, findings: &mut Findings) -> Files<'a> {
    let own: BTreeSet<String> = files.keys().filter_map(|path| plain_path(path)).collect();
    let is_for_another =
        |path: &str| own.contains(path) || split(path).is_some_and(|(_, dialect)| OTHERS.contains(&dialect));
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
