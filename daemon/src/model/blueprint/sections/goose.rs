//! goose's directives: `-- +goose Up`, `Down`, `StatementBegin`, `StatementEnd`, `NO TRANSACTION`, `ENVSUB`.
//!
//! Accepts only what goose itself accepts. This module must not cut anything: that is done for all tools alike.

use super::{Direction, Directive, Reading, comments, is_indented};
use crate::model::blueprint::findings::shown;

const TAG: &str = "+goose";

pub(super) fn read(content: &str) -> Reading {
    let mut reading = Reading::default();
    let mut open: Option<Directive> = None;
    for (directive, text) in comments(content) {
        let text = text.trim_start();
        let Some(tag) = text.get(..TAG.len()).filter(|tag| tag.eq_ignore_ascii_case(TAG)) else { continue };
        let rest = &text[tag.len()..];
        let (name, line) = (rest.split_whitespace().collect::<Vec<_>>().join(" "), directive.line);
        if tag != TAG {
            let message = format!(
                "goose knows its directives by {TAG} in lower case, and {tag} is nothing to it: write {TAG}"
            );
            reading.fault(line, "unknown_directive", message);
            continue;
        }
        if is_indented(content, directive) {
            let message =
                "goose takes a directive only at the beginning of a line: remove the blanks before `--`";
            reading.fault(line, "unknown_directive", message);
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "up" => section(&mut reading, Direction::Up, directive, &mut open),
            "down" => section(&mut reading, Direction::Down, directive, &mut open),
            "statementbegin" => begin(&mut reading, directive, &mut open),
            "statementend" => match open.take() {
                Some(_) => reading.ends.push(directive),
                None => reading.fault(
                    line,
                    "statement_block",
                    "`StatementEnd` stands here without a `StatementBegin` above it: add that, or remove this line",
                ),
            },
            "no transaction" => (reading.is_outside, reading.is_outside_down) = (true, true),
            "envsub off" | "envsubst off" => {}
            "envsub on" | "envsubst on" => reading.fault(
                line,
                "placeholder",
                "placeholders are not filled in from the environment: remove this line and write the SQL as it has to run",
            ),
            _ => {
                let message = format!(
                    "goose knows no directive `{}`: known are Up, Down, StatementBegin, StatementEnd and NO TRANSACTION",
                    shown(&name)
                );
                reading.fault(line, "unknown_directive", message);
            }
        }
    }
    never_ends(&mut reading, open);
    reading
}

fn section(reading: &mut Reading, direction: Direction, directive: Directive, open: &mut Option<Directive>) {
    never_ends(reading, open.take());
    reading.open(direction, directive);
}

fn begin(reading: &mut Reading, directive: Directive, open: &mut Option<Directive>) {
    let line = directive.line;
    if reading.up.is_none() && reading.down.is_none() {
        let message = "`StatementBegin` must stand below `-- +goose Up`: move it there";
        reading.fault(line, "statement_block", message);
    }
    if let Some(first) = open.replace(directive) {
        let message = format!(
            "the `StatementBegin` of line {} is still open: end it first with `-- +goose StatementEnd`",
            first.line
        );
        reading.fault(line, "statement_block", message);
    }
    reading.begins.push(directive);
}

fn never_ends(reading: &mut Reading, open: Option<Directive>) {
    if let Some(begin) = open {
        let message = "this `StatementBegin` has no `-- +goose StatementEnd` in its section: add it behind the statement";
        reading.fault(begin.line, "statement_block", message);
    }
}
