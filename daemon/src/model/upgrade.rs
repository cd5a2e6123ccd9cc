//! Which files bring a placement to another version: the difference between its history and that version of its blueprint.
//!
//! To a later version, the files that it has and the placement has not. To an earlier one, what takes back the files that only the
//! later one has, the newest first. The history notes what was taken back for the file that it took back, so that the newest note
//! of a file tells whether the placement has it.
//!
//! Pure. The history on the target decides, not the registry: it is right even where one of the two was restored.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;

use super::blueprint::{
    Blueprint, Callback, Checksum, Migration, Statement, TAKEN_BACK, first_word, is_versioned, work_of,
};

/// Why a placement cannot be brought to a version. Each names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error("{file} was changed after it was applied: restore its text, and put the change into a new file")]
    Edited { file: String },
    #[error("{file} was applied, and the version does not have it: put the file back")]
    Missing { file: String },
    #[error("{file} is new and comes before {applied}, which was applied: give it a higher number")]
    Inserted { file: String, applied: String },
    #[error(
        "{file} was cut short, and what ran of it has another text now: restore the text of its first {statements} statements"
    )]
    CutShort { file: String, statements: usize },
    #[error(
        "{file} has VACUUM FULL, which locks a table in use for as long as it takes to write it anew: leave it out"
    )]
    Locks { file: String },
    #[error(
        "{file} defines things and changes rows ({statement} …), and in shared tables each is done as somebody else: put what changes rows \
         into a file of its own, which runs once as each tenant"
    )]
    Mixed { file: String, statement: String },
    #[error(
        "{file} runs {statement} …, which in shared tables would reach the pool's own rows alone and those of no tenant: write it as \
         INSERT, UPDATE, DELETE or MERGE in a file of its own, which runs once as each tenant, or leave it to the application"
    )]
    Rowless { file: String, statement: String },
    #[error(
        "{file} has nothing that takes it back: add an undo file for it (U1__x.sql, 1_x.down.sql) to the version's folder, and add \
         that again"
    )]
    NoWayBack { file: String },
    #[error("{file} runs outside of transactions, and a tenant goes back in one")]
    Outside { file: String },
    #[error(
        "{file} runs {statement} … outside of transactions, and after an interruption nothing would tell whether it ran: put it into a \
         file of its own that runs in a transaction"
    )]
    Untold { file: String, statement: String },
    #[error("{file} belongs to the earlier version, and was never applied: upgrade the tenant first")]
    NeverApplied { file: String },
}

/// The newest run of a file, in a placement's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRun<'a> {
    pub file: &'a str,
    pub checksum: &'a str,
    /// It ran since the placement has its present version: by an earlier attempt of the upgrade, or by one that needs attention.
    pub is_since: bool,
}

/// What ran of a file outside the transaction that was cut short: the checksums of its first statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BegunFile<'a> {
    pub file: &'a str,
    pub statements: &'a [String],
}

impl FileRun<'_> {
    /// Whether the placement has what the file does.
    fn stands(&self) -> bool {
        !self.checksum.starts_with(TAKEN_BACK)
    }
}

/// Whether [`FileRun::is_since`] decides anything on the way to this version: it does for repeatable files and callbacks alone.
pub fn asks_when_files_ran(to: &Blueprint) -> bool {
    to.migrations.iter().any(|file| file.version.is_none())
}

/// The files that bring a placement with this history to the blueprint's version, in the order in which they run. `present` is the
/// version that it has.
pub fn between<'b>(
    blueprint: &'b Blueprint,
    present: &'b Blueprint,
    history: &[FileRun<'_>],
    part: Option<BegunFile<'_>>,
) -> Result<Vec<&'b Migration>, Vec<Obstacle>> {
    let history: Vec<FileRun<'_>> = history.iter().filter(|row| row.stands()).copied().collect();
    let files = match blueprint.version < present.version {
        true => taking_back(blueprint, present, &history),
        false => pending(blueprint, present, &history),
    }?;
    if blueprint.tenancy == Tenancy::Shared
        && let Some(obstacle) = files.iter().find_map(|file| obstacle_of_shared(file))
    {
        return Err(vec![obstacle]);
    }
    match obstacle_of(&files, part) {
        Some(obstacle) => Err(vec![obstacle]),
        None => Ok(files),
    }
}

/// What takes back the files that only the present version has, the newest first, and then the earlier version's repeatable files
/// that are other there.
fn taking_back<'b>(
    blueprint: &'b Blueprint,
    present: &'b Blueprint,
    history: &[FileRun<'_>],
) -> Result<Vec<&'b Migration>, Vec<Obstacle>> {
    fn of<'a>(version: &'a Blueprint, path: &str) -> Option<&'a Migration> {
        version.migrations.iter().find(|file| file.path == path && file.version.is_some())
    }
    let mut obstacles = Vec::new();
    for row in history.iter().filter(|row| is_versioned(row.file)) {
        let file = row.file.to_owned();
        match of(blueprint, row.file).or(of(present, row.file)) {
            Some(known) if known.checksum.to_string() != row.checksum => {
                obstacles.push(Obstacle::Edited { file })
            }
            Some(_) => {}
            None if is_seed(&[present, blueprint], row.file) => {}
            None => obstacles.push(Obstacle::Missing { file }),
        }
    }
    let has = |file: &&Migration| history.iter().any(|row| row.file == file.path);
    let lacks = blueprint.migrations.iter().filter(|file| file.version.is_some() && !has(file));
    obstacles.extend(lacks.map(|file| Obstacle::NeverApplied { file: file.path.clone() }));
    let mut files = Vec::new();
    let only_there = present
        .migrations
        .iter()
        .rev()
        .filter(|file| file.version.is_some() && of(blueprint, &file.path).is_none());
    for file in only_there.filter(has) {
        match &file.way_back {
            Some(way_back) => files.push(Arc::as_ref(way_back)),
            None => obstacles.push(Obstacle::NoWayBack { file: file.path.clone() }),
        }
    }
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    files.extend(other_repeatables(blueprint, present, history));
    let files = with_callbacks(files, blueprint, present, history);
    if let Some(file) = files.iter().find(|file| file.is_outside()) {
        return Err(vec![Obstacle::Outside { file: file.path.clone() }]);
    }
    Ok(files)
}

/// The files of a later version that a placement has not, in the order in which they run. Repeatable
/// files come last, if their text differs from that of their newest run. `earlier` is the version that the placement has; its
/// seed is in the history, and no part of an upgrade.
fn pending<'b>(
    blueprint: &'b Blueprint,
    earlier: &Blueprint,
    history: &[FileRun<'_>],
) -> Result<Vec<&'b Migration>, Vec<Obstacle>> {
    let applied: BTreeMap<&str, &str> = history.iter().map(|row| (row.file, row.checksum)).collect();
    let mut obstacles = Vec::new();
    for row in history {
        let known = blueprint.migrations.iter().find(|file| file.path == row.file);
        match known {
            Some(file) if file.version.is_some() && file.checksum.to_string() != row.checksum => {
                obstacles.push(Obstacle::Edited { file: row.file.to_owned() });
            }
            Some(_) => {}
            // Not each name tells what the file is.
            None if has_versioned(earlier, row.file) => {
                obstacles.push(Obstacle::Missing { file: row.file.to_owned() });
            }
            // An upgrade runs no seed. A repeatable file may go: what it made stays, until a file drops it.
            None if is_seed(&[earlier, blueprint], row.file) || !is_versioned(row.file) => {}
            None => obstacles.push(Obstacle::Missing { file: row.file.to_owned() }),
        }
    }
    let versioned = blueprint.migrations.iter().filter(|file| file.version.is_some());
    let last = versioned.clone().rfind(|file| applied.contains_key(file.path.as_str()));
    let mut pending: Vec<&Migration> =
        versioned.filter(|file| !applied.contains_key(file.path.as_str())).collect();
    if let Some(last) = last {
        let until = blueprint.migrations.iter().take_while(|file| file.path != last.path);
        let inserted = until
            .filter(|file| file.version.is_some() && !applied.contains_key(file.path.as_str()))
            .map(|file| Obstacle::Inserted { file: file.path.clone(), applied: last.path.clone() });
        obstacles.extend(inserted);
    }
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    pending.extend(other_repeatables(blueprint, earlier, history));
    Ok(with_callbacks(pending, blueprint, earlier, history))
}

fn has_versioned(version: &Blueprint, path: &str) -> bool {
    version.migrations.iter().any(|file| file.path == path && file.version.is_some())
}

/// Whether the file is the seed of one of these versions. A tenant keeps its seed, whichever of them brought it.
fn is_seed(versions: &[&Blueprint], path: &str) -> bool {
    versions.iter().any(|version| version.seed.iter().any(|seed| seed.path == path))
}

/// The repeatable files whose text is another than that of their newest run.
fn other_repeatables<'b>(
    blueprint: &'b Blueprint,
    present: &Blueprint,
    history: &[FileRun<'_>],
) -> impl Iterator<Item = &'b Migration> {
    let had = |path: &str| present.migrations.iter().any(|file| file.path == path);
    let repeatable =
        blueprint.migrations.iter().filter(|file| file.version.is_none() && file.callback().is_none());
    repeatable.filter(move |file| {
        let newest = history.iter().rfind(|row| row.file == file.path);
        newest.is_none_or(|row| {
            let is_same = row.checksum == file.checksum.to_string();
            !is_same || !(row.is_since || had(&file.path))
        })
    })
}

/// These files with the callbacks around them. Those behind them are also due if files ran since: an attempt that committed what runs
/// outside of transactions may have ended before them.
fn with_callbacks<'b>(
    files: Vec<&'b Migration>,
    blueprint: &'b Blueprint,
    present: &Blueprint,
    history: &[FileRun<'_>],
) -> Vec<&'b Migration> {
    let callbacks =
        |when: Callback| blueprint.migrations.iter().filter(move |file| file.callback() == Some(when));
    let is_callback = |path: &str| {
        [blueprint, present].iter().any(|version| {
            version.migrations.iter().any(|file| file.path == path && file.callback().is_some())
        })
    };
    let of_files = |row: &FileRun<'_>| !is_callback(row.file) && !is_seed(&[present, blueprint], row.file);
    let last = history.iter().rposition(of_files);
    let has_run_since = |file: &&Migration| history.iter().rposition(|row| row.file == file.path) > last;
    let mut all: Vec<&Migration> = Vec::new();
    if !files.is_empty() {
        // Once for an upgrade, however many transactions that has.
        let has_run = |file: &&Migration| history.iter().any(|row| row.is_since && row.file == file.path);
        all.extend(callbacks(Callback::BeforeMigrate).filter(|file| !has_run(file)));
    }
    let is_any = !files.is_empty();
    all.extend(files);
    all.extend(callbacks(Callback::AfterMigrate).filter(|file| is_any || !has_run_since(file)));
    all
}

/// Why the file cannot run on tables that tenants share: it neither only defines things nor only changes rows.
fn obstacle_of_shared(file: &Migration) -> Option<Obstacle> {
    const DEFINITIONS: [&str; 5] = ["create", "alter", "drop", "comment", "reindex"];
    if file.is_data() {
        return None;
    }
    let word = |one: &Statement| first_word(&one.text).to_lowercase();
    let is_definition = |one: &Statement| DEFINITIONS.contains(&word(one).as_str());
    let path = || file.path.clone();
    let rowless = file.statements.iter().find(|one| !is_definition(one) && !one.changes_rows());
    if let Some(one) = rowless {
        return Some(Obstacle::Rowless { file: path(), statement: word(one) });
    }
    let changing = file.statements.iter().find(|one| one.changes_rows())?;
    Some(Obstacle::Mixed { file: path(), statement: word(changing) })
}

/// Why these files cannot run on a placement that is in use.
fn obstacle_of(pending: &[&Migration], part: Option<BegunFile<'_>>) -> Option<Obstacle> {
    if let Some(part) = part {
        let is_continued = pending.first().is_some_and(|first| {
            let texts = first.statements.iter().map(|one| Checksum::of(one.text.as_bytes()).to_string());
            first.path == part.file
                && first.statements.len() >= part.statements.len()
                && texts.zip(part.statements).all(|(text, ran)| text == *ran)
        });
        if !is_continued {
            let (file, statements) = (part.file.to_owned(), part.statements.len());
            return Some(Obstacle::CutShort { file, statements });
        }
    }
    let untold = pending.iter().filter(|file| file.is_outside()).find_map(|file| {
        let statement = file.statements.iter().find(|one| work_of(one).is_none())?;
        let word = first_word(&statement.text).to_lowercase();
        Some(Obstacle::Untold { file: file.path.clone(), statement: word })
    });
    if untold.is_some() {
        return untold;
    }
    let locking = pending.iter().find(|file| file.statements.iter().any(|one| is_vacuum_full(&one.text)));
    locking.map(|file| Obstacle::Locks { file: file.path.clone() })
}

fn is_vacuum_full(statement: &str) -> bool {
    let lower = statement.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    words.contains(&"vacuum") && words.contains(&"full")
}

#[cfg(test)]
mod tests;
