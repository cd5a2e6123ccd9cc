//! Directives that are a tag and a name: `-- +migrate Up` of sql-migrate, `-- +micrate Up`, `-- rambler up`.
//!
//! Accepts only what these tools accept. This module must not cut anything: that is done for all tools alike.

use super::{Direction, Directive, Reading, comments, is_indented};
use crate::model::blueprint::findings::shown;

/// A tool, by what its directives look like.
pub(super) struct Dialect {
    tool: &'static str,
    tag: &'static str,
    up: &'static str,
    down: &'static str,
    /// It has `StatementBegin` and `StatementEnd`.
    has_blocks: bool,
    /// The option behind a direction that takes it out of the transaction.
    outside: Option<&'static str>,
}

pub(super) const SQL_MIGRATE: Dialect = Dialect {
    tool: "sql-migrate",
    tag: "+migrate",
    up: "Up",
    down: "Down",
    has_blocks: true,
    outside: Some("notransaction"),
};

pub(super) const MICRATE: Dialect =
    Dialect { tool: "micrate", tag: "+micrate", up: "Up", down: "Down", has_blocks: true, outside: None };

pub(super) const RAMBLER: Dialect =
    Dialect { tool: "rambler", tag: "rambler", up: "up", down: "down", has_blocks: false, outside: None };

pub(super) fn read(content: &str, of: &Dialect) -> Reading {
    let mut reading = Reading::default();
    let mut open: Option<Directive> = None;
    for (directive, text) in comments(content) {
        let mut words = text.split_whitespace();
        if !words.next().is_some_and(|tag| tag.eq_ignore_ascii_case(of.tag)) {
            continue;
        }
        let words: Vec<&str> = words.collect();
        match words.as_slice() {
            _ if is_indented(content, directive) => unknown(&mut reading, of, directive, text),
            [name, options @ ..] if *name == of.up || *name == of.down => {
                never_ends(&mut reading, of, open.take());
                let is_outside = match options {
                    [] => false,
                    [option] if of.outside == Some(*option) => true,
                    _ => {
                        unknown(&mut reading, of, directive, text);
                        continue;
                    }
                };
                if *name == of.up {
                    reading.is_outside = is_outside;
                    reading.open(Direction::Up, directive);
                } else {
                    reading.is_outside_down = is_outside;
                    reading.open(Direction::Down, directive);
                }
            }
            ["StatementBegin"] if of.has_blocks => {
                never_ends(&mut reading, of, open.replace(directive));
                reading.begins.push(directive);
            }
            ["StatementEnd"] if of.has_blocks && open.take().is_some() => reading.ends.push(directive),
            _ => unknown(&mut reading, of, directive, text),
        }
    }
    never_ends(&mut reading, of, open);
    reading
}

fn unknown(reading: &mut Reading, of: &Dialect, directive: Directive, text: &str) {
    let Dialect { tool, tag, up, down, .. } = of;
    let message = format!(
        "{tool} has no such directive here, `--{}`: it has `-- {tag} {up}` and `-- {tag} {down}` at the beginning of a \
         line{}",
        shown(text),
        if of.has_blocks { ", and StatementBegin with its StatementEnd" } else { "" }
    );
    reading.fault(directive.line, "unknown_directive", message);
}

fn never_ends(reading: &mut Reading, of: &Dialect, open: Option<Directive>) {
    if let Some(begin) = open {
        let message = format!(
            "this `StatementBegin` has no `-- {} StatementEnd` in its section: add it behind the statement",
            of.tag
        );
        reading.fault(begin.line, "statement_block", message);
    }
}
