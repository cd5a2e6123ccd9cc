//! The comments by which tools divide a file into up and down, those of tools that are not read included.
//!
//! A file with such a comment is never run as a whole: it would make its tables and drop them again. This module must not read a
//! directive any further.

use super::{Direction, Marker, Sections, comments};

/// Stands for the tool that a mere heading belongs to.
pub(in crate::model::blueprint) const UNKNOWN: &str = "a tool that is not known here";

/// The lines that divide the file in the manner of one of these tools.
pub(in crate::model::blueprint) fn markers(content: &str) -> impl Iterator<Item = Marker> {
    comments(content)
        .filter_map(|(directive, text)| Some(Marker { sections: sections(text)?, line: directive.line }))
}

/// The direction in which the tool reads what follows the comment; `text` stands behind its two hyphens.
pub(super) fn node_pg_migrate(text: &str) -> Option<Direction> {
    let text = bare(text);
    let (direction, rest) = match text.split_once(char::is_whitespace)? {
        (word, rest) if word.eq_ignore_ascii_case("up") => (Direction::Up, rest),
        (word, rest) if word.eq_ignore_ascii_case("down") => (Direction::Down, rest),
        _ => return None,
    };
    begins(rest.trim_start(), "migration").then_some(direction)
}

fn sections(text: &str) -> Option<Sections> {
    let of_two = |tag: &str, up: &str, down: &str| {
        let rest = after(text.trim_start(), tag)?;
        (begins(rest, up) || begins(rest, down)).then_some(())
    };
    let line = text.trim_start();
    if of_two("migrate:", "up", "down").is_some() {
        Some(Sections::Dbmate)
    } else if begins(line, "+goose") {
        Some(Sections::Goose)
    } else if node_pg_migrate(text).is_some() {
        Some(Sections::NodePgMigrate)
    } else if begins(line, "+migrate") {
        Some(Sections::SqlMigrate)
    } else if begins(line, "+micrate") {
        Some(Sections::Micrate)
    } else if of_two("rambler ", "up", "down").is_some() {
        Some(Sections::Rambler)
    } else if is_mybatis(text) {
        Some(Sections::MyBatis)
    } else if begins(line, "liquibase formatted sql") || begins(line, "changeset ") {
        Some(Sections::Foreign("Liquibase"))
    } else if of_two("!", "ups", "downs").is_some() {
        Some(Sections::Foreign("Play evolutions"))
    } else if is_tern(text) {
        Some(Sections::Tern)
    } else {
        by_heading(text)
    }
}

/// The line between the way up and the way down, as tern writes it.
pub(super) fn is_tern(text: &str) -> bool {
    begins(bare(text), "create above / drop below")
}

/// The same of MyBatis Migrations.
pub(super) fn is_mybatis(text: &str) -> bool {
    text.trim_start().starts_with("//") && text.to_ascii_lowercase().contains("@undo")
}

/// A comment that says nothing but that the way down begins, as in `-- Down` and `-- ==== DOWN ====`.
fn by_heading(text: &str) -> Option<Sections> {
    let heading = text.trim_matches(|c: char| c.is_whitespace() || "-=#*:@".contains(c));
    let is_heading =
        ["down", "undo", "rollback", "revert"].iter().any(|word| heading.eq_ignore_ascii_case(word));
    let tool = if text.contains("====") { "shmig" } else { UNKNOWN };
    is_heading.then_some(Sections::Foreign(tool))
}

/// The text without the hyphens and blanks before it.
fn bare(text: &str) -> &str {
    text.trim_start_matches(|c: char| c == '-' || c.is_whitespace())
}

fn begins(text: &str, with: &str) -> bool {
    after(text, with).is_some()
}

/// What follows a beginning, in either case.
fn after<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let head = text.get(..beginning.len())?;
    head.eq_ignore_ascii_case(beginning).then(|| &text[beginning.len()..])
}
