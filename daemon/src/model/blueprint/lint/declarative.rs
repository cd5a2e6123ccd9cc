//! Statements that define tables, indexes, types and views, and do nothing else: they run no code of the blueprint, and leave the
//! session as it was.
//!
//! It decides only which files are sent together. What the server finds between them decides whether that was right.

use super::words::Words;

const HEADS: &[&[&str]] = &[
    &["create", "table"],
    &["create", "index"],
    &["create", "unique", "index"],
    &["create", "sequence"],
    &["create", "type"],
    &["create", "view"],
    &["create", "or", "replace", "view"],
    &["create", "policy"],
    &["alter", "table"],
    &["alter", "index"],
    &["alter", "sequence"],
    &["alter", "type"],
    &["drop", "table"],
    &["drop", "index"],
    &["drop", "view"],
    &["drop", "type"],
    &["comment", "on"],
];

/// Functions are left out wherever they are named, since the function that runs the files is one of them; and what makes a table's
/// rows or its checks a matter of the whole transaction.
const OTHERWISE: &str = "function|functions|routine|routines|procedure|procedures|schema|owner|temp|temporary|deferrable|deferred|execute";

pub(super) fn is_declarative(words: &Words<'_>) -> bool {
    let has_head = HEADS.iter().any(|head| words.starts_with(head));
    let fills_a_table = words.is(1, "table")
        && (words.find(&["select"]).is_some() || words.find(&["as", "values|table|with"]).is_some());
    has_head && !fills_a_table && words.find(&[OTHERWISE]).is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::model::blueprint::lint::is_declarative;
    use crate::model::blueprint::split::split;

    fn all(sql: &str) -> bool {
        split(sql).unwrap().iter().all(is_declarative)
    }

    #[test]
    fn definitions_are_declarative() {
        for sql in [
            "create table a (id int primary key, b int references b on delete cascade)",
            "create table a (id bigint generated always as identity, b int generated always as (1) stored)",
            "create unique index concurrently i on a (id) where b > 0",
            "create view v as select * from a",
            "alter table a add column c text default 'x', enable row level security",
            "create type t as enum ('a', 'b')",
            "comment on table a is 'that the function f fills'",
        ] {
            assert!(all(sql), "{sql}");
        }
    }

    #[test]
    fn what_runs_code_or_changes_the_session_is_not() {
        for sql in [
            "insert into a values (1)",
            "create table a as select f()",
            "create temp table a (id int)",
            "create table a (id int references b deferrable initially deferred)",
            "create function f() returns int language sql as 'select 1'",
            "create trigger t before insert on a for each row execute function f()",
            "grant execute on all functions in schema s to r",
            "alter table a owner to r",
            "set search_path = s",
            "do 'begin end'",
            "select f()",
        ] {
            assert!(!all(sql), "{sql}");
        }
    }
}
