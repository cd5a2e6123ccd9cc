//! Finds names that are qualified with a schema other than the tenant's.
//!
//! Without the catalog, `a.b` can be a column of `a` as well as a table of the schema `a`, so only places count where the
//! grammar expects the name of an object. This module must not report what it cannot tell apart.

use super::words::Words;

const BEFORE_A_NAME: &[&str] = &[
    "from",
    "join",
    "into",
    "update",
    "references",
    "table",
    "view",
    "sequence",
    "function",
    "procedure",
    "type",
    "domain",
    "index",
    "truncate",
];

/// Words that may be between one of those keywords and the name.
const NOISE: &[&[&str]] =
    &[&["if", "not", "exists"], &["if", "exists"], &["only"], &["concurrently"], &["lateral"]];

/// In these calls a value follows FROM: `extract(epoch from t.started_at)`.
const CALLS_WITH_FROM: &str = "extract|substring|trim|overlay|position";

/// The position of each such name, and its schema.
pub(super) fn foreign_schemas(words: &Words<'_>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // For each open parenthesis, whether the word before it is a call that uses FROM.
    let mut calls = Vec::new();
    for at in 0..words.len() {
        if words.is_symbol(at, b'(') {
            calls.push(at > 0 && words.is(at - 1, CALLS_WITH_FROM));
        } else if words.is_symbol(at, b')') {
            calls.pop();
        } else if expects_a_name(words, at, &calls) {
            let start = words.skip(at + 1, NOISE);
            let (mut parts, _) = words.dotted_name(start);
            let schema = if parts.len() < 2 { None } else { parts.drain(..parts.len() - 1).next_back() };
            found.extend(schema.filter(|schema| is_foreign(schema)).map(|schema| (start, schema)));
        }
    }
    found
}

fn expects_a_name(words: &Words<'_>, at: usize, calls: &[bool]) -> bool {
    if at > 0 && words.is_symbol(at - 1, b'.') {
        return false;
    }
    if words.is(at, "from") {
        let is_comparison = at > 0 && words.is(at - 1, "distinct");
        return !is_comparison && calls.last() != Some(&true);
    }
    words.is_one_of(at, BEFORE_A_NAME)
        || (words.is(at, "on") && calls.is_empty() && names_a_table_after_on(words))
}

fn names_a_table_after_on(words: &Words<'_>) -> bool {
    words.starts_with(&["create", "index|trigger|policy|rule"])
        || words.starts_with(&["create", "unique|constraint", "index|trigger"])
        || words.starts_with(&["create", "or", "replace", "trigger|rule"])
}

/// `public` has a rule of its own, and everyone may read the catalogs.
fn is_foreign(schema: &str) -> bool {
    schema != "public" && schema != "information_schema" && !schema.starts_with("pg_")
}
