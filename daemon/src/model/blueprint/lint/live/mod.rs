//! Lints for live tables: what the statements of an upgrade cost those who use the tables meanwhile, and the form that costs less.
//!
//! They look at the files that an upgrade from one version to another runs, and only at what the earlier version has: whatever
//! the same files make is empty and unknown to everybody. Like the other lints they read tokens and not the catalog, so they are
//! advice. What protects a tenant's work is the upgrade itself, which makes way for those who wait.

mod alter;
mod columns;
mod known;
mod statements;

use std::collections::BTreeSet;

use tenantry_protocol::plan::{Finding, Severity};

use super::words::Words;
use crate::model::blueprint::findings::{FileLine, Findings, shown};
use crate::model::blueprint::split::{Piece, split};
use crate::model::blueprint::{Blueprint, Callback, Migration, Statement};
use known::{Belongs, Known};

/// Longer than any statement's first words and names that somebody wrote on purpose.
const LONGEST_MESSAGE: usize = 1_900;
const FIRST_WORDS: usize = 60;
const LONGEST_NAME: usize = 63;

/// What one statement costs: which lock, for how long, who waits; and the form that costs less, as SQL where there is one.
#[derive(Debug)]
struct Cost {
    code: &'static str,
    severity: Severity,
    /// The token that determines the line.
    at: usize,
    says: String,
    safe: String,
}

impl Cost {
    fn warning(code: &'static str, at: usize, says: impl Into<String>, safe: impl Into<String>) -> Self {
        Self { code, severity: Severity::Warning, at, says: says.into(), safe: safe.into() }
    }
}

/// What an upgrade from `from` to `to` costs a tenant that is in use. An error stands for what breaks the application that runs
/// now, which only a version with `phase = "contract"` may do.
pub fn live_findings(from: &Blueprint, to: &Blueprint) -> Vec<Finding> {
    let mut known = Known::default();
    for file in &from.migrations {
        for piece in pieces(file) {
            known.follow(&Words::of(&piece), Belongs::Earlier);
        }
    }
    let pending = pending(from, to);
    let statements = in_transactions(&pending);
    let mut findings = Findings::default();
    for (at, (file, transaction, piece)) in statements.iter().enumerate() {
        let words = Words::of(piece);
        let mut costs = statements::costs(&words, &known, *transaction);
        costs.extend(alter::costs(&words, &known, *transaction));
        let leaves = statements::taken_away(&words, &known).into_iter().filter(|gone| {
            let behind = statements[at + 1..].iter().take_while(|(_, later, _)| later == transaction);
            !to.is_contract() && !behind.into_iter().any(|(_, _, later)| gone.returns_in(&Words::of(later)))
        });
        costs.extend(leaves.map(|gone| gone.cost));
        for cost in costs {
            report(file, &words, cost, &mut findings);
        }
        known.follow(&words, Belongs::Pending { transaction: *transaction });
    }
    findings.into_sorted()
}

/// The tables of the version `from` whose columns these files change: what sessions have prepared as `select *` from them fails.
pub fn reshaped_tables(from: &Blueprint, files: &[&Migration]) -> BTreeSet<String> {
    let mut known = Known::default();
    for file in &from.migrations {
        for piece in pieces(file) {
            known.follow(&Words::of(&piece), Belongs::Earlier);
        }
    }
    let mut reshaped = BTreeSet::new();
    for piece in files.iter().flat_map(|file| pieces(file)) {
        let words = Words::of(&piece);
        reshaped.extend(alter::reshaped(&words, &known));
        known.follow(&words, Belongs::Pending { transaction: 0 });
    }
    reshaped
}

/// The files that an upgrade runs where history agrees with the earlier version: new ones with a version, then repeatable ones
/// whose text differs.
fn pending<'b>(from: &Blueprint, to: &'b Blueprint) -> Vec<&'b Migration> {
    let earlier = |file: &Migration| from.migrations.iter().find(|known| known.path == file.path);
    let versioned = to.migrations.iter().filter(|file| file.version.is_some() && earlier(file).is_none());
    let repeatable = to.migrations.iter().filter(|file| {
        file.version.is_none()
            && file.callback().is_none()
            && earlier(file).is_none_or(|known| known.checksum != file.checksum)
    });
    let around = |when: Callback| to.migrations.iter().filter(move |file| file.callback() == Some(when));
    let files: Vec<&Migration> = versioned.chain(repeatable).collect();
    match files.is_empty() {
        true => files,
        false => {
            let before = around(Callback::BeforeMigrate);
            before.chain(files).chain(around(Callback::AfterMigrate)).collect()
        }
    }
}

/// The statements of the files, each with the number of the transaction that it runs in: consecutive ordinary files are one.
fn in_transactions<'b>(files: &[&'b Migration]) -> Vec<(&'b str, usize, Piece)> {
    let mut transaction = 0;
    let mut found = Vec::new();
    for file in files {
        for piece in pieces(file) {
            // A transaction of its own, and another one behind it.
            transaction += usize::from(file.is_outside());
            found.push((file.path.as_str(), transaction, piece));
        }
        transaction += usize::from(file.is_outside());
    }
    found
}

fn pieces(file: &Migration) -> impl Iterator<Item = Piece> {
    file.statements.iter().filter_map(piece)
}

/// The statement with its tokens; its line is that in its file.
fn piece(statement: &Statement) -> Option<Piece> {
    let mut pieces = split(&statement.text).ok()?;
    let mut piece = pieces.pop().filter(|_| pieces.is_empty())?;
    piece.statement = statement.clone();
    Some(piece)
}

fn report(file: &str, words: &Words<'_>, cost: Cost, findings: &mut Findings) {
    let mut message = format!("`{}` {}. Safe: {}", first_words(words), cost.says, cost.safe);
    message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
    let place = FileLine { file, line: words.line(cost.at) };
    match cost.severity {
        Severity::Error => findings.error(cost.code, place, message),
        _ => findings.warning(cost.code, place, message),
    }
}

/// The beginning of the statement on one line.
fn first_words(words: &Words<'_>) -> String {
    let mut text = String::new();
    for at in 0..words.len() {
        if text.chars().count() >= FIRST_WORDS {
            break;
        }
        let touches = at > 0 && words.touches_next(at - 1);
        if at > 0 && !touches {
            text.push(' ');
        }
        text.push_str(words.text(at));
    }
    cut(&text, FIRST_WORDS)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", shown(&text[..end])),
        None => shown(text),
    }
}

/// A name as it can stand in SQL.
fn named(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { cut(name, LONGEST_NAME) } else { format!("\"{}\"", cut(name, LONGEST_NAME)) }
}

#[cfg(test)]
#[path = "../../tests/live.rs"]
mod tests;
