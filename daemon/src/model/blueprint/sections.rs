//! The part of a file that runs, for tools that keep the way up and the way down in one file, as goose does.
//!
//! Invariant: text that is cut away is blanked, never removed, so positions and lines are those of the file. A statement
//! that is kept equals the file's text, byte for byte. Directives count where the tool looks for them: at the beginning
//! of a line, also in quotes and comments. This module must not judge the SQL.

mod dbmate;
mod goose;
mod line;
mod markers;
mod node_pg_migrate;
mod tagged;

use std::ops::Range;

use super::split::{Piece, line_of};
use super::token::Lexer;

pub(super) use markers::{UNKNOWN, markers};

/// The tool whose directives divide a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sections {
    Dbmate,
    Goose,
    NodePgMigrate,
    SqlMigrate,
    Micrate,
    Rambler,
    Tern,
    MyBatis,
    /// Of another tool. Recognised only so that its files are not taken for plain ones, which would run both up and down.
    Foreign(&'static str),
}

/// A line that is a directive of one of these tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) sections: Sections,
    /// Counted from 1.
    pub(super) line: u32,
}

/// What is wrong with a file's directives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    /// Counted from 1.
    pub(super) line: u32,
    pub(super) message: String,
}

/// The part of a file that runs: its way up, or its way down where that takes the file back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// As long as the file, with blanks in place of the text that does not run.
    pub(super) masked: String,
    /// The position of the part in the file, in bytes.
    pub(super) range: Range<usize>,
    /// The line of its directive, from 1.
    pub(super) line: u32,
    /// A directive tells the tool to run it outside a transaction.
    pub(super) is_outside: bool,
    /// The positions of directives within the part, in bytes. They must be between statements, or the file was cut wrong.
    boundaries: Vec<usize>,
}

/// The directives of a file, before anything is cut.
#[derive(Debug, Default)]
struct Reading {
    faults: Vec<Fault>,
    up: Option<Directive>,
    down: Option<Directive>,
    /// The ends of explicit statement blocks; each ends a statement as a semicolon would.
    ends: Vec<Directive>,
    /// The beginnings of these blocks.
    begins: Vec<Directive>,
    /// A directive tells the tool to run the way up outside a transaction.
    is_outside: bool,
    /// The same for the way down.
    is_outside_down: bool,
}

/// A line of a file that is a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Directive {
    start: usize,
    /// The position after the line's end.
    end: usize,
    /// Counted from 1.
    line: u32,
}

/// The part of the file that runs, or all faults of its directives.
pub(super) fn up(sections: Sections, content: &str) -> Result<Way, Vec<Fault>> {
    let mut reading = reading(sections, content);
    if sections.are_optional() && reading.is_undivided() {
        return Ok(Way::whole(content));
    }
    let Some(directive) = reading.up else {
        if reading.faults.is_empty() {
            reading.fault(1, "missing_up", format!("the file has no line `{}`, below which the way up stands: add it above the first statement", sections.up()));
        }
        return Err(reading.faults);
    };
    if let Some(line) = first_statement(&content[..directive.start]) {
        let message =
            format!("this stands above `{}`, where {sections} runs nothing: move it below", sections.up());
        reading.fault(line, "outside_sections", message);
    }
    if !reading.faults.is_empty() {
        return Err(reading.faults);
    }
    let end = reading.down.map_or(content.len(), |down| down.start);
    Ok(reading.way(content, directive, end, reading.is_outside))
}

/// The part of the file that takes it back, if it has one. The way up must be without faults.
pub(super) fn down(sections: Sections, content: &str) -> Option<Way> {
    let reading = reading(sections, content);
    let directive = reading.down?;
    Some(reading.way(content, directive, content.len(), reading.is_outside_down))
}

fn reading(sections: Sections, content: &str) -> Reading {
    match sections {
        Sections::Dbmate => dbmate::read(content),
        Sections::Goose => goose::read(content),
        Sections::NodePgMigrate => node_pg_migrate::read(content),
        Sections::SqlMigrate => tagged::read(content, &tagged::SQL_MIGRATE),
        Sections::Micrate => tagged::read(content, &tagged::MICRATE),
        Sections::Rambler => tagged::read(content, &tagged::RAMBLER),
        Sections::Tern | Sections::MyBatis => line::read(content, sections),
        Sections::Foreign(_) => Reading::default(),
    }
}

impl Way {
    /// All of a file that is not divided.
    fn whole(content: &str) -> Self {
        Self {
            masked: content.to_owned(),
            range: 0..content.len(),
            line: 1,
            is_outside: false,
            boundaries: Vec::new(),
        }
    }

    /// The position of a directive inside a statement: its tool would cut the statement in two there.
    pub(super) fn cuts(&self, pieces: &[Piece]) -> Option<usize> {
        self.boundaries.iter().copied().find(|at| {
            let before = pieces.partition_point(|piece| piece.statement.offset <= *at);
            let last = before.checked_sub(1).and_then(|index| pieces.get(index));
            last.is_some_and(|piece| *at < piece.statement.offset + piece.statement.text.len())
        })
    }
}

impl Sections {
    /// The directive that begins the way up.
    const fn up(self) -> &'static str {
        match self {
            Self::Dbmate => "-- migrate:up",
            Self::Goose => "-- +goose Up",
            Self::NodePgMigrate => "-- Up Migration",
            Self::SqlMigrate => "-- +migrate Up",
            Self::Micrate => "-- +micrate Up",
            Self::Rambler => "-- rambler up",
            Self::Tern | Self::MyBatis | Self::Foreign(_) => "",
        }
    }

    /// Whether the tool runs a file without directives as a whole.
    const fn are_optional(self) -> bool {
        matches!(self, Self::NodePgMigrate | Self::Tern | Self::MyBatis)
    }
}

impl std::fmt::Display for Sections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dbmate => "dbmate",
            Self::Goose => "goose",
            Self::NodePgMigrate => "node-pg-migrate",
            Self::SqlMigrate => "sql-migrate",
            Self::Micrate => "micrate",
            Self::Rambler => "rambler",
            Self::Tern => "tern",
            Self::MyBatis => "MyBatis Migrations",
            Self::Foreign(tool) => tool,
        })
    }
}

impl Reading {
    const fn is_undivided(&self) -> bool {
        self.up.is_none() && self.down.is_none()
    }

    fn fault(&mut self, line: u32, code: &'static str, message: impl Into<String>) {
        self.faults.push(Fault { code, line, message: message.into() });
    }

    /// The way that begins with this directive and ends before `end`.
    fn way(&self, content: &str, directive: Directive, end: usize, is_outside: bool) -> Way {
        let within = |directives: &[Directive]| -> Vec<Directive> {
            let is_within = |found: &&Directive| (directive.end..end).contains(&found.start);
            directives.iter().filter(is_within).copied().collect()
        };
        let (begins, ends) = (within(&self.begins), within(&self.ends));
        Way {
            masked: mask(content, directive.end..end, &ends),
            range: directive.end..end,
            line: directive.line,
            is_outside,
            boundaries: begins.iter().chain(&ends).map(|found| found.start).collect(),
        }
    }

    /// Takes note of where the way up or down begins.
    fn open(&mut self, direction: Direction, directive: Directive) {
        let Directive { line, .. } = directive;
        let (slot, name) = match direction {
            Direction::Up => (&mut self.up, "up"),
            Direction::Down => (&mut self.down, "down"),
        };
        if let Some(first) = slot {
            let message = format!(
                "the way {name} began in line {} already: keep one section for each direction",
                first.line
            );
            self.fault(line, "doubled_section", message);
            return;
        }
        *slot = Some(directive);
        if direction == Direction::Up
            && let Some(down) = self.down
        {
            let message =
                format!("the way up must stand above the way down, which begins in line {}", down.line);
            self.fault(line, "section_order", message);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// The lines that are comments with two hyphens, and the text after the hyphens.
fn comments(content: &str) -> impl Iterator<Item = (Directive, &str)> {
    let bytes = content.as_bytes();
    let mut hyphens = memchr::memmem::find_iter(bytes, "--");
    let (mut end, mut line) = (0, 1);
    let mut counted = 0;
    std::iter::from_fn(move || {
        // Only the first hyphens of a line can begin it.
        for at in hyphens.by_ref() {
            if at < end {
                continue;
            }
            let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |before| before + 1);
            end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length + 1);
            let text = &content[start..end];
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            if let Some(rest) = text.trim_start().strip_prefix("--") {
                line += super::split::newlines(&bytes[counted..start]);
                counted = start;
                return Some((Directive { start, end, line }, rest.trim_end()));
            }
        }
        None
    })
}

/// Whether the directive is indented; its tool accepts it only at the very beginning of a line.
fn is_indented(content: &str, directive: Directive) -> bool {
    let text = &content[directive.start..directive.end];
    text.strip_prefix('\u{feff}').unwrap_or(text).starts_with(char::is_whitespace)
}

/// The line of the first thing that is neither blank nor a comment. Unterminated text counts too.
fn first_statement(text: &str) -> Option<u32> {
    match Lexer::new(text).next() {
        Ok(token) => token.map(|token| line_of(text, token.start)),
        Err(open) => Some(line_of(text, open.offset)),
    }
}

/// The text with blanks for all but the range, and a semicolon at each of the ends.
fn mask(content: &str, keep: Range<usize>, ends: &[Directive]) -> String {
    let mut masked = String::with_capacity(content.len());
    blank(&mut masked, &content.as_bytes()[..keep.start]);
    let mut at = keep.start;
    for end in ends {
        masked.push_str(&content[at..end.start]);
        masked.push(';');
        // The line can begin with a byte order mark.
        blank(&mut masked, &content.as_bytes()[end.start + 1..end.end]);
        at = end.end;
    }
    masked.push_str(&content[at..keep.end]);
    blank(&mut masked, &content.as_bytes()[keep.end..]);
    masked
}

/// One blank for each byte; line ends remain.
fn blank(masked: &mut String, text: &[u8]) {
    masked
        .extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { char::from(*byte) } else { ' ' }));
}

#[cfg(test)]
#[path = "tests/sections.rs"]
mod tests;
