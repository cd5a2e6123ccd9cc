//! Statements that PostgreSQL refuses in a transaction, and those of them that a migration may have in a file of its own.
//!
//! The list is deliberately short. The effects of each entry can be cleaned up after a crash in the middle of it, and an
//! entry runs no code except under PostgreSQL's own restrictions. This module must not look beyond the statement.

use super::batched;
use super::words::Words;
use crate::model::blueprint::Batched;

/// A statement that runs outside the transaction, classified by what it leaves when it is interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutsideWork {
    /// An invalid index of this name.
    CreateIndex { name: String },
    /// The index as it was, perhaps no longer valid.
    DropIndex,
    /// Invalid indexes with names that the server chose.
    Reindex,
    /// Either the new value or no value.
    AddValue,
    /// Nothing that matters: VACUUM and ANALYZE.
    Maintain,
    /// The constraint as it was, or validated.
    Validate,
    /// A partition whose detachment is pending, and is to be finished.
    Detach { table: String, partition: String },
    /// What its batches committed; the statement finds the rest itself.
    Batch(Batched),
}

const UNNAMED: &str = "the index has no name, so that what is left of it after a failure could not be told from others: \
                       write CREATE INDEX CONCURRENTLY name ON …";
const SEVERAL: &str =
    "one name without a schema has to stand here: write a statement for each, and leave the schema out";
const NO_TABLE: &str = "no table is named, so this would go through the whole database, other tenants' tables too: name \
                        one, without its schema";
const NOT_CONCURRENT: &str =
    "without CONCURRENTLY this can be in a transaction, and belongs into a file that is";
const TRANSACTION: &str = "each statement of a file outside the transaction is one of its own, so there is none to begin or \
                           end: remove this statement";
const OTHER: &str = "a file outside the transaction may only have CREATE INDEX CONCURRENTLY, DROP INDEX CONCURRENTLY, \
                     REINDEX … CONCURRENTLY of an index or a table, ALTER TYPE … ADD VALUE, VACUUM and ANALYZE of a table, ALTER \
                     TABLE … VALIDATE CONSTRAINT, ALTER TABLE … DETACH PARTITION … CONCURRENTLY, and what runs in batches, \
                     below a line `-- tenantry: batched`: move this statement into a file without that mark";

/// What the statement does outside a transaction, or why a file outside the transaction may not contain it.
pub(super) fn work(words: &Words<'_>) -> Result<OutsideWork, &'static str> {
    if let Some(batched) = words.statement().batched {
        batched::form(words).map(|()| OutsideWork::Batch(batched))
    } else if batched::changes_rows(words) {
        Err(batched::ALL_AT_ONCE)
    } else if words.starts_with(&["create"])
        && words.find(&["index", "concurrently"]).is_some_and(|at| at <= 2)
    {
        create_index(words)
    } else if words.starts_with(&["drop", "index", "concurrently"]) {
        let at = words.skip(3, &[&["if", "exists"]]);
        one_name(words, at, &["restrict"]).map(|()| OutsideWork::DropIndex)
    } else if words.starts_with(&["reindex"]) {
        reindex(words)
    } else if words.starts_with(&["alter", "type"]) && words.find(&["add", "value"]).is_some() {
        let (parts, after) = words.dotted_name(2);
        if parts.len() == 1 && words.matches(after, &["add", "value"]) {
            Ok(OutsideWork::AddValue)
        } else {
            Err(SEVERAL)
        }
    } else if words.starts_with(&["vacuum|analyze"]) {
        maintain(words)
    } else if words.starts_with(&["alter", "table"]) {
        alter_table(words)
    } else if words.starts_with(&["begin|commit|end|rollback|abort|savepoint|release|start"]) {
        Err(TRANSACTION)
    } else {
        Err(OTHER)
    }
}

/// Whether a tenant that is being made can have the statement in its one transaction, though it is none of those that a file outside
/// the transaction may have for tenants that stand.
pub(super) fn is_for_new_tenants(words: &Words<'_>) -> bool {
    const NEVER: &str = "begin|commit|end|rollback|abort|savepoint|release|start|cluster";
    let starts = |pattern: &[&str]| words.starts_with(pattern);
    words.statement().batched.is_none()
        && !starts(&[NEVER])
        && (refused_inside(words).is_none()
            || starts(&["vacuum"])
            || starts(&["create|drop", "index"])
            || starts(&["create", "unique", "index"])
            || starts(&["reindex"]) && !words.is(1, "database|system|schema"))
}

/// The position of the token because of which PostgreSQL refuses the statement in a transaction.
pub(super) fn refused_inside(words: &Words<'_>) -> Option<usize> {
    let starts = |patterns: &[&[&str]]| patterns.iter().any(|pattern| words.starts_with(pattern));
    let always = starts(&[
        &["vacuum"],
        &["alter", "system"],
        &["create|drop", "database|tablespace|subscription"],
        &["reindex", "database|system|schema"],
    ]);
    if always || (words.len() == 1 && starts(&[&["cluster"]])) {
        return Some(0);
    }
    let can_be_concurrent =
        starts(&[&["create|drop", "index"], &["create", "unique", "index"], &["reindex"]]);
    let detaches = || starts(&[&["alter", "table"]]) && words.find(&["detach", "partition"]).is_some();
    if can_be_concurrent || detaches() { words.find(&["concurrently"]) } else { None }
}

fn create_index(words: &Words<'_>) -> Result<OutsideWork, &'static str> {
    let at = if words.starts_with(&["create", "index", "concurrently"]) {
        3
    } else if words.starts_with(&["create", "unique", "index", "concurrently"]) {
        4
    } else {
        return Err(OTHER);
    };
    let at = words.skip(at, &[&["if", "not", "exists"]]);
    match words.name(at) {
        Some(name) if !words.is(at, "on") && words.is(at + 1, "on") => Ok(OutsideWork::CreateIndex { name }),
        _ => Err(UNNAMED),
    }
}

/// `reindex [(options)] index|table [concurrently] name`
fn reindex(words: &Words<'_>) -> Result<OutsideWork, &'static str> {
    let mut at = 1;
    let mut is_concurrent = false;
    if words.is_symbol(at, b'(') {
        at += 1;
        while words.is(at, "concurrently|verbose") || words.is_symbol(at, b',') {
            is_concurrent |= words.is(at, "concurrently");
            at += 1;
        }
        if !words.is_symbol(at, b')') {
            return Err(OTHER);
        }
        at += 1;
    }
    if !words.is(at, "index|table") {
        return Err(OTHER);
    }
    at += 1;
    if words.is(at, "concurrently") {
        is_concurrent = true;
        at += 1;
    }
    if !is_concurrent {
        return Err(NOT_CONCURRENT);
    }
    one_name(words, at, &[]).map(|()| OutsideWork::Reindex)
}

/// `vacuum|analyze [(options)] [words] table …`
fn maintain(words: &Words<'_>) -> Result<OutsideWork, &'static str> {
    let mut at = 1;
    if words.is_symbol(at, b'(') {
        while at < words.len() && !words.is_symbol(at, b')') {
            at += 1;
        }
        at += 1;
    }
    at = words.skip(at, &[&["full"], &["freeze"], &["verbose"], &["analyze"]]);
    let (parts, _) = words.dotted_name(at);
    if parts.len() == 1 { Ok(OutsideWork::Maintain) } else { Err(NO_TABLE) }
}

/// `alter table name validate constraint name`, or `alter table name detach partition name concurrently`
fn alter_table(words: &Words<'_>) -> Result<OutsideWork, &'static str> {
    let (mut table, at) = words.dotted_name(2);
    if words.matches(at, &["validate", "constraint"]) {
        let is_alone = words.name(at + 2).is_some() && words.len() == at + 3 && table.len() == 1;
        return if is_alone { Ok(OutsideWork::Validate) } else { Err(SEVERAL) };
    }
    if !words.matches(at, &["detach", "partition"]) {
        return Err(OTHER);
    }
    let (mut partition, at) = words.dotted_name(at + 2);
    if !words.is(at, "concurrently") {
        return Err(if words.is(at, "finalize") { OTHER } else { NOT_CONCURRENT });
    }
    match (table.pop(), partition.pop()) {
        (Some(table_name), Some(name))
            if table.is_empty() && partition.is_empty() && words.len() == at + 1 =>
        {
            Ok(OutsideWork::Detach { table: table_name, partition: name })
        }
        _ => Err(SEVERAL),
    }
}

/// One unqualified name and optionally one of the words in `behind`, up to the end.
fn one_name(words: &Words<'_>, at: usize, behind: &[&str]) -> Result<(), &'static str> {
    let (parts, after) = words.dotted_name(at);
    let after = if behind.iter().any(|word| words.is(after, word)) { after + 1 } else { after };
    if parts.len() == 1 && after == words.len() { Ok(()) } else { Err(SEVERAL) }
}

#[cfg(test)]
#[path = "../tests/outside.rs"]
mod tests;
