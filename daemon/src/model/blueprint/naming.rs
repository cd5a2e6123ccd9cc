//! What a file's path tells: its place in the order of migrations, and which tools use such names.
//!
//! By number: Flyway's `V1__x.sql`, `V1_2__x.sql`, `V1.2__x.sql`; `0001_x.sql`, `1-x.sql`, `1.2_x.sql` and `01.sql`; pairs such as
//! `0001_x.up.sql`; dates, `2024-01-01_x.sql`; the folders of diesel and Hasura, `2024-01-01-120000_x/up.sql`, and of Prisma,
//! `20240101120000_x/migration.sql`. After them by name: Flyway's `R__x.sql`, and around them its callbacks, `afterMigrate__x.sql`. Files that
//! undo (`U1__x.sql`, `….down.sql`, `…/down.sql`) are recognised and never run. This module must not look at a file's
//! content, nor decide which tool a folder belongs to.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Migration {
        shape: Shape,
        order: MigrationOrder,
        version: Option<String>,
        title: String,
    },
    /// Flyway's `B3__x.sql`, which makes all that the migrations up to this version make.
    Baseline {
        order: MigrationOrder,
        version: Option<String>,
        title: String,
    },
    /// Undoes a migration; never run, since a tenant is undone as a whole.
    Undo {
        shape: Shape,
        order: MigrationOrder,
    },
    /// The name of a migration that breaks its convention; the text says what is wrong.
    Broken(&'static str),
    /// The file is not a migration.
    Unknown,
}

/// How the name is built; several tools can share one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `V1__x.sql`, `R__x.sql`
    Flyway,
    /// `0001_x.sql`
    Underscore,
    /// `1-x.sql`, `01.sql`
    Loose,
    /// `1.x.sql`, `1.2_x.sql`, which the tools that have a name here read otherwise or not at all
    Dotted,
    /// `0001_x.up.sql`
    Pair,
    /// `2024-01-01_x.sql`
    Dated,
    /// `2024-01-01-120000_x/up.sql`
    Folder,
    /// `20240101120000_x/migration.sql`
    PrismaFolder,
    /// `structure.sql`, the only file
    Whole,
}

/// The position of a migration among the others; equal positions are a conflict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MigrationOrder {
    /// Before all others, each time that some of them run.
    Before(String),
    Versioned(Numbers),
    /// By its place in a list of the tool's own.
    Listed(usize),
    /// By version as text, for tools that compare versions in this way: 10 comes before 9.
    Textual(String),
    /// After all versioned migrations, by title.
    Repeatable(String),
    /// After all others, each time that some of them ran.
    After(String),
}

/// When Flyway runs a file that belongs to all migrations together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    BeforeMigrate,
    AfterMigrate,
}

/// The numbers of a version, without trailing zeros: `1`, `1.0` and `01` are the same version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbers(Vec<u128>);

impl MigrationOrder {
    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Versioned(Numbers(numbers)) if numbers == &[0])
    }
}

const BROKEN_VERSION: &str =
    "the version must be numbers joined by . or _, each of at most 30 digits, as in V1_2__title.sql";
const BROKEN_SEPARATOR: &str =
    "two underscores must stand between the version and the title, as in V1__title.sql";
const BROKEN_TITLE: &str = "a title must follow the version, as in V1__title.sql or 0001_title.sql";
const BROKEN_NUMBER: &str = "the number that it begins with must have at most 30 digits";

const MOST_DIGITS: usize = 30;

/// Reads a path with `/` between its parts.
pub(super) fn read(path: &str) -> Name {
    let (folder, file_name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(stem) = file_name.strip_suffix(".sql") else { return Name::Unknown };
    match stem.as_bytes() {
        // Authelia and others have pairs with a letter before the number.
        [b'V', b'0'..=b'9', ..] if is_of_a_pair(stem) && !stem.contains("__") => numbered(&stem[1..]),
        [b'V', b'0'..=b'9', ..] => flyway_versioned(&stem[1..]),
        [b'B', b'0'..=b'9', ..] => match flyway_versioned(&stem[1..]) {
            Name::Migration { order, version, title, .. } => Name::Baseline { order, version, title },
            broken => broken,
        },
        [b'U', b'0'..=b'9', ..] => flyway_undo(&stem[1..]),
        [b'R', b'_', b'_', ..] => flyway_repeatable(&stem[3..]),
        _ if callback(path).is_some() => flyway_callback(stem),
        [b'0'..=b'9', ..] => numbered(stem),
        b"up" | b"down" => in_a_folder(folder.rsplit('/').next().unwrap_or(folder), stem),
        b"migration" => in_prismas_folder(folder.rsplit('/').next().unwrap_or(folder)),
        _ => Name::Unknown,
    }
}

/// The same for refinery, to which `U1__x.sql` is a migration as any other.
pub(super) fn read_for_refinery(path: &str) -> Name {
    let (_, file_name) = path.rsplit_once('/').unwrap_or(("", path));
    match (read(path), file_name.strip_prefix('U').and_then(|rest| rest.strip_suffix(".sql"))) {
        (Name::Undo { shape: Shape::Flyway, .. }, Some(stem)) => flyway_versioned(stem),
        // It runs nothing but these.
        (Name::Baseline { .. }, _) => Name::Unknown,
        _ if callback(path).is_some() => Name::Unknown,
        (name, _) => name,
    }
}

fn is_of_a_pair(stem: &str) -> bool {
    stem.ends_with(".up") || stem.ends_with(".down")
}

fn flyway_versioned(stem: &str) -> Name {
    let Some((version, title)) = stem.split_once("__") else { return Name::Broken(BROKEN_SEPARATOR) };
    let Some(numbers) = numbers(version) else { return Name::Broken(BROKEN_VERSION) };
    if title.trim_matches('_').is_empty() {
        return Name::Broken(BROKEN_TITLE);
    }
    Name::Migration {
        shape: Shape::Flyway,
        order: MigrationOrder::Versioned(numbers),
        version: Some(version.to_owned()),
        title: spaced(title),
    }
}

fn flyway_undo(stem: &str) -> Name {
    let version = stem.split_once("__").map_or(stem, |(version, _)| version);
    let Some(numbers) = numbers(version) else { return Name::Broken(BROKEN_VERSION) };
    Name::Undo { shape: Shape::Flyway, order: MigrationOrder::Versioned(numbers) }
}

fn flyway_repeatable(title: &str) -> Name {
    if title.trim_matches('_').is_empty() {
        return Name::Broken("a title must follow R__, as in R__title.sql");
    }
    Name::Migration {
        shape: Shape::Flyway,
        order: MigrationOrder::Repeatable(title.to_owned()),
        version: None,
        title: spaced(title),
    }
}

/// The order of a file whose number begins anew in each folder: the numbers of all its folders come first. `None` if one of those has
/// another name.
pub(super) fn in_numbered_folders(path: &str, order: &MigrationOrder) -> Option<MigrationOrder> {
    let (folders, _) = path.rsplit_once('/')?;
    let MigrationOrder::Versioned(Numbers(own)) = order else { return None };
    let mut all = Vec::new();
    for folder in folders.split('/') {
        // A trailing zero counts where a number follows it.
        all.push(folder.parse::<u128>().ok().filter(|_| folder.bytes().all(|byte| byte.is_ascii_digit()))?);
    }
    all.extend(own);
    Some(MigrationOrder::Versioned(Numbers(all)))
}

/// Those of Flyway's callbacks that are about a whole run of migrations, and are written in SQL.
pub fn callback(path: &str) -> Option<Callback> {
    let stem = path.rsplit('/').next().unwrap_or(path).strip_suffix(".sql")?;
    match stem.split_once("__").map_or(stem, |(event, _)| event) {
        "beforeMigrate" => Some(Callback::BeforeMigrate),
        "afterMigrate" | "afterMigrateApplied" => Some(Callback::AfterMigrate),
        _ => None,
    }
}

fn flyway_callback(stem: &str) -> Name {
    let (event, title) = stem.split_once("__").unwrap_or((stem, stem));
    let order = match event {
        "beforeMigrate" => MigrationOrder::Before(title.to_owned()),
        // This event comes last.
        "afterMigrate" => MigrationOrder::After(format!("1 {title}")),
        _ => MigrationOrder::After(format!("0 {title}")),
    };
    Name::Migration { shape: Shape::Flyway, order, version: None, title: spaced(title) }
}

/// A stem that begins with a digit.
fn numbered(stem: &str) -> Name {
    let (stem, undoes) = match stem.strip_suffix(".down") {
        Some(stem) => (stem, true),
        None => (stem, false),
    };
    let up = stem.strip_suffix(".up").filter(|_| !undoes);
    let stem = up.unwrap_or(stem);
    if let Some(dated) = (!undoes && up.is_none()).then(|| dated(stem)).flatten() {
        return dated;
    }
    let (version, rest) = stem.split_at(version_length(stem));
    let Some(numbers) = numbers(version) else { return Name::Broken(BROKEN_NUMBER) };
    let (shape, title) = match rest.as_bytes() {
        [] => (Shape::Loose, version),
        [b'.', title @ ..] if !title.is_empty() => (Shape::Dotted, &rest[1..]),
        [b'_' | b'-', ..] if version.contains('.') => (Shape::Dotted, rest.trim_start_matches(['_', '-'])),
        [b'_', title @ ..] if title.iter().all(|byte| *byte == b'_') => return Name::Broken(BROKEN_TITLE),
        [b'-', title @ ..] if title.iter().all(|byte| *byte == b'-') => return Name::Broken(BROKEN_TITLE),
        [b'_', ..] => (Shape::Underscore, &rest[1..]),
        [b'-', ..] => (Shape::Loose, &rest[1..]),
        _ => return Name::Unknown,
    };
    let shape = if undoes || up.is_some() { Shape::Pair } else { shape };
    let order = MigrationOrder::Versioned(numbers);
    if undoes {
        return Name::Undo { shape, order };
    }
    Name::Migration { shape, order, version: Some(version.to_owned()), title: spaced(title) }
}

/// How much of a stem is its version: numbers, joined by dots.
fn version_length(stem: &str) -> usize {
    let digits = |at: usize| stem[at..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    while stem[end..].starts_with('.') && digits(end + 1) > 0 {
        let next = end + 1 + digits(end + 1);
        // In `1.2nd_try` the title begins with a number.
        if stem[next..].starts_with(char::is_alphabetic) {
            break;
        }
        end = next;
    }
    end
}

/// A stem that begins with a date, `2024-01-01`, perhaps with a time behind it, `-120000` or `T1200`.
fn dated(stem: &str) -> Option<Name> {
    let is_digits =
        |at: Range<usize>| stem.get(at).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let is_date = stem.len() >= 10
        && is_digits(0..4)
        && is_digits(5..7)
        && is_digits(8..10)
        && stem.as_bytes()[4] == b'-'
        && stem.as_bytes()[7] == b'-';
    if !is_date {
        return None;
    }
    let rest = &stem[10..];
    let time = rest.strip_prefix(['-', 'T', '_']).unwrap_or("");
    let time = &time[..time.bytes().take_while(u8::is_ascii_digit).count()];
    let is_time = matches!(time.len(), 4 | 6) && !rest[1 + time.len()..].starts_with(char::is_alphanumeric);
    let length = if is_time { 11 + time.len() } else { 10 };
    let (version, title) = stem.split_at(length);
    if !(title.is_empty() || title.starts_with(['_', '-'])) {
        return None;
    }
    // To the second, so that 1200 is later than 093000.
    let seconds = if time.len() == 4 { format!("{time}00") } else { time.to_owned() };
    let order = [&stem[..4], &stem[5..7], &stem[8..10], if is_time { &seconds } else { "0" }].join(".");
    let title = title.trim_matches(['_', '-']);
    Some(Name::Migration {
        shape: Shape::Dated,
        order: MigrationOrder::Versioned(numbers(&order)?),
        version: Some(version.to_owned()),
        title: spaced(if title.is_empty() { version } else { title }),
    })
}

/// `migration.sql` in a folder of Prisma. The whole name of the folder is the order, as text: two may have the same time.
fn in_prismas_folder(folder: &str) -> Name {
    let (version, title) = folder.split_once('_').unwrap_or((folder, ""));
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return Name::Unknown;
    }
    Name::Migration {
        shape: Shape::PrismaFolder,
        order: MigrationOrder::Textual(folder.to_owned()),
        version: Some(version.to_owned()),
        title: spaced(if title.is_empty() { version } else { title }),
    }
}

/// The order of Hasura, which compares the versions of folders as numbers; diesel compares them as texts.
pub(super) fn by_number(version: &str) -> Option<MigrationOrder> {
    numbers(&version.replace('-', "")).map(MigrationOrder::Versioned)
}

/// The order of sql-migrate: two files may have one number, and then their names count.
pub(super) fn by_number_and_name(version: &str, path: &str) -> MigrationOrder {
    MigrationOrder::Textual(format!("{version:0>MOST_DIGITS$} {path}"))
}

/// `up.sql` or `down.sql` in the folder of a migration, whose version is the part before the first underscore.
fn in_a_folder(folder: &str, stem: &str) -> Name {
    let (version, title) = folder.split_once('_').unwrap_or((folder, ""));
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !is_version {
        return Name::Unknown;
    }
    // The hyphens only make a date readable; the tool ignores them.
    let order = MigrationOrder::Textual(version.replace('-', ""));
    let title = if title.is_empty() { version } else { title };
    match stem {
        "down" => Name::Undo { shape: Shape::Folder, order },
        _ => Name::Migration {
            shape: Shape::Folder,
            order,
            version: Some(version.to_owned()),
            title: spaced(title),
        },
    }
}

fn numbers(version: &str) -> Option<Numbers> {
    let mut numbers = Vec::new();
    for part in version.split(['.', '_']) {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_short = part.trim_start_matches('0').len() <= MOST_DIGITS;
        numbers.push(part.parse::<u128>().ok().filter(|_| digits && is_short)?);
    }
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(Numbers(numbers))
}

/// `time_entries` → `time entries`
fn spaced(title: &str) -> String {
    title.replace(['_', '-'], " ").trim().to_owned()
}

#[cfg(test)]
#[path = "tests/naming.rs"]
mod tests;
