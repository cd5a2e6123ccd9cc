//! Names that another file explains. db-migrate has `1-a-up.sql` and `1-a-down.sql`, which are pairs because all of the folder are.
//!
//! Folders of Ory's pop have a file for each kind of database: `1_a.postgres.up.sql` beside `1_a.mysql.up.sql`, and `1_a.up.sql` for
//! those that have none of their own.

use std::collections::BTreeSet;

use super::Files;
use crate::model::blueprint::MANIFEST;
use crate::model::blueprint::convention::Convention;
use crate::model::blueprint::findings::Findings;
use crate::model::blueprint::naming::Shape;
use crate::model::blueprint::sections::markers;

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

/// How the names of a folder are read, where they say more together than each alone.
pub(super) struct Names {
    /// What stands before `up` and `down` at the end of each.
    before_direction: Option<char>,
}

impl Names {
    /// Of these files. Those of a version that is stored may lack the way down. A tool that divides its files has no pairs.
    pub(super) fn of(files: &Files<'_>, said: Option<Convention>) -> Self {
        let is_numbered = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".sql")
        };
        let numbered = files.iter().filter(|(path, _)| is_numbered(path));
        let has_pairs = said.is_none_or(|said| said.takes(Shape::Pair))
            && !numbered.clone().any(|(_, file)| markers(&file.content).next().is_some());
        let numbered = numbered.map(|(path, _)| *path);
        let are_all = |hyphen: char| {
            let of = |direction: &str| -> BTreeSet<&str> {
                let directed = numbered.clone().filter_map(|path| directed(path, hyphen));
                directed.filter(|(_, own)| *own == direction).map(|(base, _)| base).collect()
            };
            let ups = of("up");
            !ups.is_empty()
                && numbered.clone().all(|path| directed(path, hyphen).is_some())
                && of("down").is_subset(&ups)
        };
        let before_direction = ['-', '_'].into_iter().find(|hyphen| has_pairs && are_all(*hyphen));
        Self { before_direction }
    }

    /// The path by which a file is read.
    pub(super) fn read_as(&self, path: &str) -> Option<String> {
        plain_path(path).or_else(|| without_alone(path)).or_else(|| {
            let (base, direction) = directed(path, self.before_direction?)?;
            Some(format!("{base}.{direction}.sql"))
        })
    }
}

/// `1-a` and `up` for `1-a-up.sql`.
fn directed(path: &str, hyphen: char) -> Option<(&str, &str)> {
    let (base, direction) = path.strip_suffix(".sql")?.rsplit_once(hyphen)?;
    ["up", "down"].contains(&direction).then_some((base, direction))
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
