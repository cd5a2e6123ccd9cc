//! Statements that run in batches: which may, so that each batch is bounded and the last one says that nothing is left.
//!
//! Whether a statement comes to an end depends on its rows. That is for the run to find out; this module looks at its form alone.

use super::words::Words;

/// With more rows at a time, others would wait for a batch.
const MOST_ROWS: u32 = 100_000;

pub(super) const ALL_AT_ONCE: &str = "outside the transaction, rows are changed in batches: write a line `-- tenantry: batched` above the \
                                      statement, and bound it as in UPDATE a SET b = … WHERE id IN (SELECT id FROM a WHERE b IS NULL LIMIT 1000)";
const OTHER: &str = "only an UPDATE, a DELETE or an INSERT … SELECT can run in batches, also one behind WITH: remove the line \
                     `-- tenantry: batched`";
const UNBOUNDED: &str = "a batch has no bound: write a LIMIT with a number from 1 to 100000, as in UPDATE a SET b = … WHERE id IN (SELECT id FROM a \
                         WHERE b IS NULL LIMIT 1000)";
const SKIPPING: &str = "with SKIP LOCKED, rows that somebody holds count as done: leave it out, since a batch that meets a lock is tried again";
/// For a statement of a file that runs in a transaction; how the file is taken out follows.
pub(super) const INSIDE: &str = "a statement runs in batches only in a file outside the transaction";

/// Why a statement cannot run in batches.
pub(super) fn form(words: &Words<'_>) -> Result<(), &'static str> {
    if !changes_rows(words) {
        return Err(OTHER);
    }
    if words.find(&["skip", "locked"]).is_some() {
        return Err(SKIPPING);
    }
    if is_bounded(words) { Ok(()) } else { Err(UNBOUNDED) }
}

/// Whether the statement is an UPDATE, a DELETE or an INSERT, perhaps behind WITH.
pub(super) fn changes_rows(words: &Words<'_>) -> bool {
    let at = if words.starts_with(&["with"]) { behind_with(words) } else { Some(0) };
    at.is_some_and(|at| {
        words.is(at, "update")
            || words.matches(at, &["delete", "from"])
            || words.matches(at, &["insert", "into"])
    })
}

/// The statement behind the queries of a WITH, each of which ends with a parenthesis.
fn behind_with(words: &Words<'_>) -> Option<usize> {
    let mut depth = 0_usize;
    for at in 1..words.len() {
        if words.is_symbol(at, b'(') {
            depth += 1;
        } else if words.is_symbol(at, b')') {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && words.is_symbol(at - 1, b')')
            && words.is(at, "update|delete|insert|select|merge|values|table")
        {
            return Some(at);
        }
    }
    None
}

/// `limit 1000` or `fetch first 1000 rows`
fn is_bounded(words: &Words<'_>) -> bool {
    let is_number = |at: usize| words.text(at).parse().is_ok_and(|rows| (1..=MOST_ROWS).contains(&rows));
    let is_end =
        |at: usize| at >= words.len() || words.is_symbol(at, b')') || words.is(at, "offset|for|returning|on");
    (1..words.len()).any(|at| {
        (words.is(at, "limit") && is_number(at + 1) && is_end(at + 2))
            || (words.matches(at, &["fetch", "first|next"])
                && is_number(at + 2)
                && words.is(at + 3, "row|rows"))
    })
}
