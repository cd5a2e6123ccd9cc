//! Lints: what each rule finds, and similar statements that are allowed. The similar statements matter as much: a lint
//! with false alarms gets switched off.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::split::split;

/// The findings of one file, as `code:line`, in the order in which they are shown.
fn lint(sql: &str) -> Vec<String> {
    let mut linter = Linter::default();
    let mut findings = Findings::default();
    for piece in split(sql).unwrap() {
        linter.look_at("V1__x.sql", Marking::Inside("so"), &piece, &mut findings);
    }
    linter.finish(&mut findings);
    findings.into_sorted().into_iter().map(|f| format!("{}:{}", f.code, f.line.unwrap())).collect()
}

fn check(sql: &str, expect: &[&str]) {
    assert_eq!(lint(sql), expect, "{sql}");
}

fn check_each(code: &str, statements: &[&str]) {
    for sql in statements {
        // Every rule works in upper and lower case, and reports the line of the statement.
        check(&format!("select 1;\n{sql};"), &[&format!("{code}:2")]);
        check(&sql.to_uppercase().replace("'SEARCH_PATH'", "'search_path'"), &[&format!("{code}:1")]);
    }
}

#[test]
fn transactions_are_not_for_migrations() {
    check_each(
        "transaction_control",
        &[
            "begin",
            "start transaction",
            "commit",
            "end",
            "rollback",
            "rollback to savepoint a",
            "abort",
            "savepoint a",
            "release a",
            "prepare transaction 'x'",
            "set transaction isolation level serializable",
        ],
    );
    check("prepare p as select 1; set constraints all deferred; set lock_timeout = '1s'", &[]);
}

#[test]
fn the_session_stays_as_it_is() {
    check_each(
        "session_control",
        &[
            "set role x",
            "set local role x",
            "set session role x",
            "reset role",
            "set session authorization x",
            "set local session authorization x",
            "reset session authorization",
            "discard all",
            "select set_config('role', 'x', true)",
        ],
    );
    check_each(
        "search_path",
        &[
            "set search_path = a",
            "set local search_path to a",
            "reset all",
            "reset search_path",
            "select pg_catalog.set_config('search_path', '', false)",
        ],
    );
}

#[test]
fn text_and_comments_are_not_sql() {
    check(
        "select 'commit; set role x; public.a', $$ commit; public.a $$ -- commit; public.a\n/* set role x */",
        &[],
    );
    check("create function f() returns void language plpgsql as $$ begin set role x; end $$", &[]);
    check("insert into \"commit\" values (1); update \"begin\" set a = 1", &[]);
}

#[test]
fn steps_outside_a_transaction_are_refused() {
    check_each(
        "not_transactional",
        &[
            "create index concurrently i on a (x)",
            "create unique index concurrently i on a (x)",
            "drop index concurrently i",
            "reindex table concurrently a",
            "reindex (concurrently) table a",
            "reindex database x",
            "vacuum a",
            "vacuum",
            "create database x",
            "drop database x",
            "alter system set a = 1",
            "create tablespace a location 'x'",
            "create subscription s connection 'x' publication p",
            "cluster",
            "alter table a detach partition b concurrently",
        ],
    );
    check(
        "refresh materialized view concurrently v; cluster a using i; create index concurrent on a (concurrently)",
        &["not_transactional:1"],
    );
    check(
        "refresh materialized view concurrently v; cluster a using i; create index i on a (x); analyze a",
        &[],
    );
}

#[test]
fn roles_schemas_and_extensions_are_the_daemons() {
    check_each(
        "role_statements",
        &[
            "create role x",
            "create user x",
            "alter group x add user y",
            "drop role x",
            "drop owned by x",
            "reassign owned by a to b",
            "grant a to b",
            "revoke a from b",
        ],
    );
    // What is a statement of its own is left out before the rules look.
    check_each(
        "owner_change",
        &["alter table a add column b int, owner to x", "alter large object 1 owner to x"],
    );
    check(
        "alter table a owner to current_user; create user mapping for x server s; grant select on a to current_user",
        &[],
    );
    check_each("schema_statements", &["create schema x", "drop schema x", "comment on schema x is 'y'"]);
    check_each(
        "create_extension",
        &["create extension \"A b\"", "drop extension citext", "alter extension x update"],
    );
    check_each(
        "needs_administrator",
        &[
            "create event trigger t on ddl_command_start execute function f()",
            "create trusted language x",
            "load 'x'",
            "copy a from '/tmp/x'",
            "copy a to program 'x'",
            "alter database x set a = 1",
        ],
    );
    check_each("client_copy", &["copy a to stdout", "copy (select 1) to stdout"]);
    check("create or replace trigger t before insert on a for each row execute function f()", &[]);
}

#[test]
fn names_outside_the_tenants_schema_are_found() {
    check("create table a (\n x int primary key references\n public.b)", &["public_reference:3"]);
    check("select \"public\".f(1), x.public.y", &["public_reference:1"]);
    check("select public, t.public from t", &[]);
    check(
        "insert into audit.log select 1;\nselect 1 from a join\n core.b on a.x = b.y",
        &["foreign_schema:1", "foreign_schema:3"],
    );
    check("create index i on other.a (x)", &["foreign_schema:1"]);
    check("create trigger t before insert on a for each row execute function lib.f()", &["foreign_schema:1"]);
    check("drop table if exists old.a", &["foreign_schema:1"]);
    check("select 1 from pg_catalog.pg_namespace join information_schema.tables on true", &[]);
    check("select extract(epoch from t.a), substring(t.b from t.c), t.x is distinct from t.y from t", &[]);
    check("create policy p on a using (exists (select from b join c on b.x = c.x))", &[]);
    check("comment on column a.x is 'y'; create table b (like a including all); update a set x = a.y", &[]);
}

#[test]
fn grants_are_the_daemons() {
    check("grant select on a to public", &["grant_to_public:1"]);
    check("grant select on a to\n current_user, public", &["grant_to_public:2"]);
    check("alter default privileges grant select on tables to public", &["grant_to_public:1"]);
    check("grant select on a to reporting", &["grant_to_role:1"]);
    check("revoke all on function f() from public; create policy p on a to public using (true)", &[]);
}

#[test]
fn security_definer_needs_a_safe_search_path() {
    let routine = |options: &str| {
        format!("create or replace function f() returns int language sql {options} as 'select 1'")
    };
    check(&routine("security definer"), &["security_definer_search_path:1"]);
    check(&routine("security definer set search_path = a, b"), &["security_definer_search_path:1"]);
    check(&routine("security definer set search_path = pg_temp, a"), &["security_definer_search_path:1"]);
    check(&routine("security definer set search_path from current"), &[]);
    check(&routine("security definer set search_path = pg_catalog, pg_temp"), &[]);
    check(&routine("security invoker"), &[]);
    check("alter function f() security definer", &["security_definer_search_path:1"]);
}

#[test]
fn tables_without_a_primary_key_are_found_at_the_end() {
    check(
        "create table a (x int);\ncreate unlogged table if not exists \"C\" (x int)",
        &["no_primary_key:1", "no_primary_key:2"],
    );
    check("create table a as select 1", &["no_primary_key:1"]);
    check("create table a (x int primary key); create table b (x int, constraint k primary key (x))", &[]);
    check("create table a (x int); alter table only A add constraint k primary key (x)", &[]);
    check("create table a (x int); alter table a rename to b; alter table b add primary key (x)", &[]);
    check("create table a (x int); create table b (x int); drop table if exists b, a cascade", &[]);
    check(
        "create temp table a (x int); create table b partition of c default; create table d (like e including all)",
        &[],
    );
}

#[test]
fn tables_are_counted_for_the_lock_budget() {
    let mut linter = Linter::default();
    for piece in
        split("create table a (x int); create temp table b (x int); create table c as select 1; select 1")
            .unwrap()
    {
        linter.look_at("V1__x.sql", Marking::Inside("so"), &piece, &mut Findings::default());
    }
    assert_eq!(linter.tables(), 2);
}

#[test]
fn placeholders_are_not_filled_in() {
    check("create table ${schema}.a (x int primary key)", &["placeholder:1"]);
    check("select $1, '${x}', $${x}$$", &[]);
}

#[test]
fn a_new_enum_value_cannot_be_used_at_once() {
    check(
        "alter type e add value if not exists 'b';\nselect 1;\ninsert into a\n values ('b')",
        &["enum_value_used:4"],
    );
    check("create type e as enum ('a', 'b'); insert into a values ('b')", &[]);
}
