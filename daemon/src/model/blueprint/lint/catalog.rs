//! Queries of PostgreSQL's catalog by name alone. In a database with many tenants they find what others have under that name, and a
//! migration that makes something "if it is not there" makes it for the first tenant only.
//!
//! The views of `information_schema` show nothing of others, and are not looked at.

use super::words::Words;
use crate::model::blueprint::split::{Piece, split};

const CATALOGS: &[&str] = &[
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_enum",
    "pg_index",
    "pg_indexes",
    "pg_matviews",
    "pg_policies",
    "pg_policy",
    "pg_proc",
    "pg_rules",
    "pg_sequence",
    "pg_sequences",
    "pg_stat_user_tables",
    "pg_tables",
    "pg_trigger",
    "pg_type",
    "pg_views",
];

/// A query with one of these says whose object it means.
const SCOPES: &[&str] = &[
    "connamespace",
    "current_schema",
    "current_schemas",
    "nspname",
    "pg_function_is_visible",
    "pg_table_is_visible",
    "pg_type_is_visible",
    "pronamespace",
    "regclass",
    "regnamespace",
    "regproc",
    "regprocedure",
    "regtype",
    "relnamespace",
    "schemaname",
    "to_regclass",
    "to_regtype",
    "typnamespace",
];

pub(super) const BY_NAME: &str = "this looks into PostgreSQL's catalog by name alone, where other tenants have the same names: add a \
                                  condition such as relnamespace = current_schema()::regnamespace, or keep tenants apart with tenancy = \
                                  \"database\"";

/// The line in the file of the first such query, in the statement or in the code of a function or block.
pub(super) fn by_name(words: &Words<'_>) -> Option<u32> {
    if let Some(at) = unscoped(words) {
        return Some(words.line(at));
    }
    let statement = words.statement();
    if !words.starts_with(&["do"]) && !words.starts_with(&["create"]) {
        return None;
    }
    let bodies =
        words.texts().filter(|at| words.text(*at).starts_with('$') && words.text(*at).contains("pg_"));
    for at in bodies {
        let (range, text) = (words.range(at), words.text(at));
        let delimiter = text[1..].find('$').map_or(0, |end| end + 2);
        let inner = &text[delimiter..text.len().saturating_sub(delimiter).max(delimiter)];
        let before = &statement.text[..range.start + delimiter];
        let pieces: Vec<Piece> = split(inner).unwrap_or_default();
        let found = pieces.iter().find_map(|piece| {
            let words = Words::of(piece);
            unscoped(&words).map(|at| words.line(at))
        });
        if let Some(line) = found {
            return Some(
                statement.line + u32::try_from(before.matches('\n').count()).unwrap_or(0) + line - 1,
            );
        }
    }
    None
}

/// The position of a catalog in a query that does not say whose objects it means.
fn unscoped(words: &Words<'_>) -> Option<usize> {
    let catalog = (1..words.len()).find(|at| {
        let start =
            if words.matches(*at, &["pg_catalog"]) && words.is_symbol(at + 1, b'.') { at + 2 } else { *at };
        words.is(at - 1, "from|join") && words.is_one_of(start, CATALOGS)
    })?;
    let is_scope = |at: usize| words.is_one_of(at, SCOPES);
    (!(0..words.len()).any(is_scope)).then_some(catalog)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(sql: &str, line: Option<u32>) {
        let pieces = split(sql).unwrap();
        assert_eq!(by_name(&Words::of(&pieces[0])), line, "{sql}");
    }

    #[test]
    fn a_name_alone_is_everybodys() {
        check("insert into a select 1 from pg_class where relname = 'b'", Some(1));
        check(
            "do $$\nbegin\n if not exists (select from pg_type where typname = 'mood') then\n create type mood as enum (); end if;\nend $$",
            Some(3),
        );
        check(
            "do $x$ begin perform 1;\nif exists (select 1 from t join pg_catalog.pg_constraint c on true) then null; end if; end $x$",
            Some(2),
        );
        check(
            "create function f() returns bigint language sql as $$ select count(*) from pg_indexes where indexname = 'i' $$",
            Some(1),
        );
    }

    #[test]
    fn a_query_that_says_whose_is_not() {
        for sql in [
            "select 1 from pg_class where oid = 'a'::regclass",
            "select 1 from pg_tables where schemaname = current_schema() and tablename = 'a'",
            "do $$ begin if not exists (select from pg_constraint where conname = 'c' and conrelid = 'a'::regclass) then null; end if; end $$",
            "select 1 from information_schema.columns where table_name = 'a'",
            "select 1 from pg_extension where extname = 'x'",
            "select 'select 1 from pg_class'",
            "insert into a values ($$select 1 from pg_class where relname = 'b'$$)",
        ] {
            check(sql, None);
        }
    }
}
