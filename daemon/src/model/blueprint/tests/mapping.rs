//! Names of the application's schema in statements, in texts and in code.
#![allow(clippy::unwrap_used)]

use super::*;

#[track_caller]
fn check(statement: &str, expect: &str) {
    let mapped = map(statement, &["public".to_owned()]).unwrap_or_else(|| statement.to_owned());
    assert_eq!(mapped, expect);
    assert_eq!(mapped.matches('\n').count(), statement.matches('\n').count(), "a statement keeps its lines");
}

#[test]
fn qualified_names_lose_their_schema_and_keep_their_spelling() {
    check("create table public.users (id int)", "create table users (id int)");
    check("create table PUBLIC.Users (id int)", "create table Users (id int)");
    check("create table \"public\".\"User\" (m public.mood)", "create table \"User\" (m mood)");
    check("select public.user.id from public . user", "select \"user\".id from \"user\"");
    check("select public\n.a", "select \na");
    check(
        "select db.public.a, publics.a, a.public, \"Public\".a",
        "select db.public.a, publics.a, a.public, \"Public\".a",
    );
    check("grant select on a to public", "grant select on a to public");
    check("select 'public.a', $$public.a$$ -- public.a", "select 'public.a', $$public.a$$ -- public.a");
}

#[test]
fn texts_change_only_where_a_name_is_read_in_them() {
    check(
        "alter table public.a alter column id set default nextval('public.a_id_seq'::regclass)",
        "alter table a alter column id set default nextval('a_id_seq'::regclass)",
    );
    check("select setval('public.\"A_seq\"', 3)", "select setval('\"A_seq\"', 3)");
    check(
        "select to_regclass('public.a'), 'public.f(int)'::regprocedure",
        "select to_regclass('a'), 'public.f(int)'::regprocedure",
    );
    check("insert into rights values ('public.read')", "insert into rights values ('public.read')");
}

#[test]
fn code_is_mapped_and_so_is_the_path_that_it_runs_with() {
    check(
        "create function public.f() returns int language sql set search_path = public, pg_temp as $$ select id from public.a $$",
        "create function f() returns int language sql set search_path from current as $$ select id from a $$",
    );
    check(
        "create or replace function f() returns void language plpgsql set search_path to '' as $x$ begin\n\
         perform nextval('public.s'); end $x$",
        "create or replace function f() returns void language plpgsql set search_path from current as $x$ begin\n\
         perform nextval('s'); end $x$",
    );
    check(
        "do $$ begin execute 'x'; perform public.f(); end $$",
        "do $$ begin execute 'x'; perform f(); end $$",
    );
    // The path of another schema is left, for the lints and the server to judge.
    let other = "alter function f() set search_path = auth, public";
    check(other, other);
}

#[test]
fn what_is_left_in_a_text_is_found() {
    for (statement, at) in [
        ("select 1 from pg_tables where schemaname = 'public'", Some(43)),
        ("do $$ begin perform 'public.a'; end $$", Some(20)),
        ("insert into a values ('public domain', 'republic.a')", None),
        ("select 'public.'", None),
    ] {
        assert_eq!(left_in_a_text(statement, "public"), at, "{statement}");
    }
}

#[test]
fn a_file_that_nests_without_end_is_read_all_the_same() {
    let open: String = (0..50_000).map(|level| format!("$t{level}$ ")).collect();
    let close: String = (0..50_000).rev().map(|level| format!("$t{level}$ ")).collect();
    let nested = format!("do {open}select public.a 'public' {close}");
    assert_eq!(map(&nested, &["public".to_owned()]), None);
    assert_eq!(left_in_a_text(&nested, "public"), None);
    check("do $a$ $b$ select public.a $b$ $a$", "do $a$ $b$ select a $b$ $a$");
}

#[test]
fn the_schemas_name_in_the_catalog_is_that_of_the_tenants() {
    let check = |sql: &str, expect: Option<&str>| {
        assert_eq!(map(sql, &["public".to_owned()]).as_deref(), expect, "{sql}");
    };
    check(
        "select 1 from pg_namespace n where n.nspname = 'public'",
        Some("select 1 from pg_namespace n where n.nspname = current_schema()"),
    );
    check(
        "do $$ begin if exists (select from information_schema.columns where 'public' = c.table_schema) then null; end if; end $$",
        Some(
            "do $$ begin if exists (select from information_schema.columns where current_schema() = c.table_schema) then null; end if; end $$",
        ),
    );
    check("update a set visibility = 'public' where kind = 'public'", None);
    check("select 1 from pg_namespace where nspname = 'other'", None);
}
