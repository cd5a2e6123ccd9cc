//! Files beside a migration that tell its tool how to run it: diesel's `metadata.toml`, Flyway's `….sql.conf`.
//!
//! Only the setting is read that says whether the migration runs in a transaction. This module must not decide what
//! happens to the migration.

use crate::model::blueprint::SourceFile;
use crate::model::blueprint::findings::{FileLine, Findings, shown};
use crate::model::blueprint::naming::Shape;

const DIESEL_METADATA: &str = "metadata.toml";
const FLYWAY_CONFIG: &str = ".sql.conf";

/// The migration that a file with this path belongs to, and the shape that the migration's name must have.
pub(super) fn subject(path: &str) -> Option<(String, Shape)> {
    if path.ends_with(FLYWAY_CONFIG) {
        return path.strip_suffix(".conf").map(|sql| (sql.to_owned(), Shape::Flyway));
    }
    let folder = path.strip_suffix(DIESEL_METADATA)?.strip_suffix('/')?;
    Some((format!("{folder}/up.sql"), Shape::Folder))
}

/// Whether the file says that its migration runs outside a transaction.
pub(super) fn takes_out(file: &SourceFile, shape: Shape, findings: &mut Findings) -> bool {
    if shape == Shape::Folder {
        let lines = file.content.lines().map(uncommented);
        return lines.into_iter().any(|line| line == "run_in_transaction=false");
    }
    let mut takes_out = false;
    for (at, line) in file.content.lines().map(uncommented).enumerate().filter(|(_, line)| !line.is_empty()) {
        let place = FileLine { file: &file.path, line: u32::try_from(at).map_or(u32::MAX, |at| at + 1) };
        match line.split_once('=') {
            Some(("executeInTransaction", value)) if value.eq_ignore_ascii_case("false") => takes_out = true,
            Some(("executeInTransaction", value)) if value.eq_ignore_ascii_case("true") => takes_out = false,
            Some(("encoding", value)) if value.eq_ignore_ascii_case("utf-8") => {}
            _ => {
                let message = format!(
                    "'{}' is not read: of a script's configuration only executeInTransaction=true or =false is",
                    shown(&line)
                );
                findings.warning("setting_ignored", place, message);
            }
        }
    }
    takes_out
}

/// A line without its comment and its blanks.
fn uncommented(line: &str) -> String {
    line.trim_start_matches('\u{feff}').split('#').next().unwrap_or("").split_whitespace().collect()
}
