//! The blueprints of the tenants that are broken: one of each tenancy, small, and two of them with a later version.

use std::path::Path;

use super::request::{BLUEPRINT, DATABASES, FIRST_VERSION, OUTSIDE, SHARED};
use crate::Folder;

/// Writes the folders below `dir`, in the order in which they are added.
pub(super) fn all(dir: &Path) -> Vec<Folder> {
    let small = |name, version| {
        Folder::new(dir, name, version)
            .migration("first", "create table first (id bigint generated always as identity primary key, name text not null);")
            .migration("second", "create table second (id bigint primary key references first (id)); create view both_of_them as select * from first;")
            .migration("third", "create table third (id int primary key); create function one() returns int language sql as 'select 1';")
            .seed("insert into third select generate_series(1, 5);")
    };
    // A row that two batches change breaks a constraint of the file behind them.
    let batches = "-- tenantry: batched pause=10ms\nupdate first set touched = touched + 1 where id in (select id from first where touched = 0 limit 20);";
    // A type that the version does not make in plain sight: its new values need a COMMIT, and its files outside run as such.
    let outside = |version| {
        Folder::new(dir, OUTSIDE, version)
            .migration("first", "create table first (id int primary key, code int not null, touched int not null default 0); create table days (day int not null) partition by range (day); create table days_old partition of days for values from (0) to (10); do $$ begin execute 'create type mood as enum (''sad'')'; end $$; insert into first (id, code) select i, i from generate_series(1, 50) i;")
            .outside("indexes", &format!("create unique index concurrently first_code on first (code); alter type mood add value 'better'; vacuum first;\n{batches}"))
            .migration("constraint", "alter table first add constraint first_code_unique unique using index first_code, add constraint touched_once check (touched <= 1);")
            .seed("insert into first (id, code) values (100, 100);")
            .setting("connection_limit", 20)
    };
    let later = outside("1.1")
        .migration("column", "alter table first add column note text, drop constraint touched_once; update first set touched = 0; alter table first add constraint noted check (note is not null) not valid;")
        .outside("notes", &format!("create index concurrently first_note on first (note); alter type mood add value 'best'; vacuum first;\n-- tenantry: batched pause=0\nupdate first set note = 'n' where id in (select id from first where note is null limit 30);\n{batches}\nalter table first validate constraint noted; alter table days detach partition days_old concurrently;"))
        .migration("check", "alter table first add constraint note_is_short check (length(note) < 100), add constraint touched_once check (touched = 1);");
    let shared = |version| {
        Folder::shared(dir, SHARED, version)
            .migration("first", "create table first (tenant_id uuid, id int, touched int not null default 0, primary key (tenant_id, id));")
            .seed("insert into first (id) select generate_series(1, 5);")
    };
    // Rows that a file touches twice, or not at all, show it.
    let shared_later = shared("1.1")
        .migration("second", "create table second (tenant_id uuid, id int, primary key (tenant_id, id)); alter table first add column code int;")
        .undo("second", "drop table second; alter table first drop column code;")
        .migration("third", "update first set touched = touched + 1;")
        .undo("third", "update first set touched = touched - 1;");
    let upgrade = |folder: Folder| {
        folder
            .migration("fourth", "alter table first add column code int not null default 7; create index first_code on first (code);")
            .undo("fourth", "alter table first drop column code;")
            .migration("fifth", "create table fifth (id int primary key); insert into fifth select id from third;")
            .undo("fifth", "drop view only_third; drop table fifth;")
            .repeatable("view", "create or replace view only_third as select id from third;")
    };
    vec![
        small(BLUEPRINT, FIRST_VERSION).setting("connection_limit", 20),
        upgrade(small(BLUEPRINT, "1.1")).setting("connection_limit", 20).setting("seats", 3),
        small(DATABASES, FIRST_VERSION).in_databases(),
        upgrade(small(DATABASES, "1.1")).in_databases(),
        outside(FIRST_VERSION),
        later,
        shared(FIRST_VERSION),
        shared_later,
    ]
}
