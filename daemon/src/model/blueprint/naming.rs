//! What a file's name says: its place in the order of migrations. Flyway's and sqlx's conventions are understood.
//!
//! Flyway: `V1__x.sql`, `V1_2__x.sql` and `V1.2__x.sql` by number, then `R__x.sql` by name; `U1__x.sql` undoes and is
//! never run. sqlx: `20240101120000_x.sql` or `….up.sql` by number; `….down.sql` undoes and is never run.
//! It must not look at a file's content.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Migration {
        convention: Convention,
        order: Order,
        version: Option<String>,
        title: String,
    },
    /// Undoes a migration; never run, since a tenant is undone as a whole.
    Undo,
    /// A migration's name that breaks its convention; what is wrong, for a person.
    Broken(&'static str),
    /// No migration at all.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    Flyway,
    Sqlx,
}

/// The position of a migration among the others; equal positions are a conflict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Versioned(Numbers),
    /// After all versioned ones, by title.
    Repeatable(String),
}

/// The numbers of a version, without trailing zeros: `1`, `1.0` and `01` are the same version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbers(Vec<u64>);

const BROKEN_VERSION: &str =
    "the version must be numbers joined by . or _, each below 2^63, as in V1_2__title.sql";
const BROKEN_SEPARATOR: &str =
    "two underscores must stand between the version and the title, as in V1__title.sql";
const BROKEN_TITLE: &str = "a title must follow the version, as in V1__title.sql or 0001_title.sql";
const BROKEN_NUMBER: &str = "the number before the first _ must be below 2^63";

/// Reads the last part of a path that ends in `.sql`.
pub(super) fn read(file_name: &str) -> Name {
    let Some(stem) = file_name.strip_suffix(".sql") else { return Name::Unknown };
    match stem.as_bytes() {
        [b'V', b'0'..=b'9', ..] => flyway_versioned(&stem[1..]),
        [b'U', b'0'..=b'9', ..] => Name::Undo,
        [b'R', b'_', b'_', ..] => flyway_repeatable(&stem[3..]),
        [b'0'..=b'9', ..] => sqlx(stem),
        _ => Name::Unknown,
    }
}

fn flyway_versioned(stem: &str) -> Name {
    let Some((version, title)) = stem.split_once("__") else { return Name::Broken(BROKEN_SEPARATOR) };
    let Some(numbers) = numbers(version) else { return Name::Broken(BROKEN_VERSION) };
    if title.trim_matches('_').is_empty() {
        return Name::Broken(BROKEN_TITLE);
    }
    Name::Migration {
        convention: Convention::Flyway,
        order: Order::Versioned(numbers),
        version: Some(version.to_owned()),
        title: spaced(title),
    }
}

fn flyway_repeatable(title: &str) -> Name {
    if title.trim_matches('_').is_empty() {
        return Name::Broken("a title must follow R__, as in R__title.sql");
    }
    Name::Migration {
        convention: Convention::Flyway,
        order: Order::Repeatable(title.to_owned()),
        version: None,
        title: spaced(title),
    }
}

fn sqlx(stem: &str) -> Name {
    if stem.ends_with(".down") {
        return Name::Undo;
    }
    let stem = stem.strip_suffix(".up").unwrap_or(stem);
    let Some((version, title)) = stem.split_once('_') else { return Name::Broken(BROKEN_TITLE) };
    if !version.bytes().all(|b| b.is_ascii_digit()) {
        return Name::Unknown;
    }
    let Some(numbers) = numbers(version) else { return Name::Broken(BROKEN_NUMBER) };
    if title.trim_matches('_').is_empty() {
        return Name::Broken(BROKEN_TITLE);
    }
    Name::Migration {
        convention: Convention::Sqlx,
        order: Order::Versioned(numbers),
        version: Some(version.to_owned()),
        title: spaced(title),
    }
}

fn numbers(version: &str) -> Option<Numbers> {
    let mut numbers = Vec::new();
    for part in version.split(['.', '_']) {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let number = part.parse::<u64>().ok().filter(|number| digits && i64::try_from(*number).is_ok())?;
        numbers.push(number);
    }
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(Numbers(numbers))
}

/// `time_entries` → `time entries`
fn spaced(title: &str) -> String {
    title.replace('_', " ").trim().to_owned()
}

#[cfg(test)]
#[path = "tests/naming.rs"]
mod tests;
