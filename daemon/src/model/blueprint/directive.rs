//! What a file asks of Tenantry itself, in a comment above a statement: `-- tenantry: batched pause=50ms at-most=10000`.
//!
//! Invariant: a comment that begins like a directive is one, or a fault with its line; none is passed over. This module must not judge
//! the statement; the lints do that.

use std::time::Duration;

use super::split::{Batched, Piece, line_of};
use super::token::Token;

/// A directive that says nothing that can be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirectiveFault {
    /// Counted from 1.
    pub(super) line: u32,
    pub(super) message: String,
}

const WORD: &str = "tenantry:";
const FORM: &str = "`-- tenantry: batched pause=50ms at-most=10000`, both options of which may be left out";
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const MOST_RUNS: u32 = 1_000_000;

/// Gives each statement the directive above it.
pub(super) fn attach(sql: &str, pieces: &mut [Piece]) -> Vec<DirectiveFault> {
    let mut faults = Vec::new();
    if !has_word(sql) {
        return faults;
    }
    let mut from = 0;
    for piece in pieces {
        let begin = piece.statement.offset;
        for (number, Token { start, end, .. }) in piece.tokens.iter().enumerate() {
            for comment in directives(sql, from, begin + start) {
                let read = if number > 0 {
                    Err("the comment stands within a statement: put it on a line above the statement"
                        .to_owned())
                } else if piece.statement.batched.is_some() {
                    Err("the statement has two such comments: keep one".to_owned())
                } else {
                    comment.read()
                };
                match read {
                    Ok(batched) => piece.statement.batched = Some(batched),
                    Err(message) => faults.push(comment.fault(sql, message)),
                }
            }
            from = begin + end;
        }
    }
    let behind = directives(sql, from, sql.len());
    let message = "no statement follows: put the comment on a line above the statement that it means";
    faults.extend(behind.into_iter().map(|comment| comment.fault(sql, message.to_owned())));
    faults
}

/// A comment that begins like a directive.
struct Comment<'a> {
    offset: usize,
    /// What follows the word.
    text: &'a str,
    is_alone_on_its_line: bool,
}

impl Comment<'_> {
    fn fault(&self, sql: &str, message: String) -> DirectiveFault {
        DirectiveFault { line: line_of(sql, self.offset), message }
    }

    fn read(&self) -> Result<Batched, String> {
        if !self.is_alone_on_its_line {
            return Err("the comment follows something on its line: put it on a line of its own".to_owned());
        }
        let mut words = self.text.split_ascii_whitespace();
        if words.next() != Some("batched") {
            return Err(format!(
                "a comment that begins with `tenantry:` says {FORM}: write that, or begin it otherwise"
            ));
        }
        let mut batched = Batched::default();
        let mut named: Vec<&str> = Vec::new();
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            if named.contains(&name) {
                return Err(format!("{name} is there twice: keep one"));
            }
            named.push(name);
            match name {
                "pause" => batched.pause = pause(value)?,
                "at-most" => batched.at_most = at_most(value)?,
                _ => return Err(format!("this has a word that means nothing here: write {FORM}")),
            }
        }
        Ok(batched)
    }
}

fn pause(value: &str) -> Result<Duration, String> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.parse::<u64>().ok();
    let pause = match (number, &value[digits.len()..]) {
        (Some(number), "ms") => Some(Duration::from_millis(number)),
        (Some(number), "s") => number.checked_mul(1_000).map(Duration::from_millis),
        (Some(0), "") => Some(Duration::ZERO),
        _ => None,
    };
    pause
        .filter(|pause| *pause <= LONGEST_PAUSE)
        .ok_or_else(|| "pause is a time from 0 to 60s, in ms or s: write it as in pause=50ms".to_owned())
}

fn at_most(value: &str) -> Result<u32, String> {
    let number = value.parse().ok().filter(|number| (2..=MOST_RUNS).contains(number));
    number.ok_or_else(|| {
        format!("at-most says how often the statement may run, from 2 to {MOST_RUNS}: write it as in at-most=10000")
    })
}

/// The directives among the comments of `begin..end`, which holds no token.
fn directives(sql: &str, begin: usize, end: usize) -> Vec<Comment<'_>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at = begin;
    while at < end {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth.saturating_sub(1), at + 2),
            Some(b"--") if depth == 0 => {
                let line = sql[at..end].split(['\n', '\r']).next().unwrap_or_default();
                let text = line.trim_start_matches('-').trim_start();
                if text.get(..WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD)) {
                    let before = sql[..at].rsplit(['\n', '\r']).next().unwrap_or_default();
                    found.push(Comment {
                        offset: at,
                        text: &text[WORD.len()..],
                        is_alone_on_its_line: before.trim_start_matches('\u{feff}').trim().is_empty(),
                    });
                }
                at += line.len();
            }
            _ => at += 1,
        }
    }
    found
}

/// Few files have a directive, and the others are not looked through.
fn has_word(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let is_end_of_word = |at: usize| {
        let begin = (at + 1).checked_sub(WORD.len());
        begin.is_some_and(|begin| bytes[begin..=at].eq_ignore_ascii_case(WORD.as_bytes()))
    };
    memchr::memchr_iter(b':', bytes).any(is_end_of_word)
}

#[cfg(test)]
#[path = "tests/directive.rs"]
mod tests;
