//! Attacks that leave something behind, which runs when somebody else acts: triggers, cursors, views, functions, and the
//! function that runs the next file.

use super::Attack;

/// Code that is stored now and runs when somebody else acts.
pub(super) const LATER: &[Attack] = &[
    (
        "a deferred constraint trigger",
        &["create constraint trigger late after insert on bait deferrable initially deferred for each row execute function evil_trigger();
           insert into bait values (1);"],
    ),
    (
        "a deferred trigger that defers itself again",
        &["create function again() returns trigger language plpgsql as $$ begin
               perform evil();
               if new.id < 8 then
                   set constraints all deferred;
                   insert into bait values (new.id + 1);
               end if;
               return null;
           end $$;
           create constraint trigger late after insert on bait deferrable initially deferred for each row execute function again();
           insert into bait values (1);"],
    ),
    (
        "a deferred trigger set off in the last file by a statement that defers all",
        &[
            "create constraint trigger late after insert on bait deferrable initially immediate for each row execute function evil_trigger();",
            "set constraints all deferred; insert into bait values (1);",
        ],
    ),
    (
        "a deferred trigger on a temporary table",
        &["create temporary table fleeting (id integer);
           create constraint trigger late after insert on fleeting deferrable initially deferred for each row execute function evil_trigger();
           insert into fleeting values (1);"],
    ),
    (
        "a deferred foreign key whose check calls the payload",
        &["create table parent (id integer primary key);
           create table child (id integer references parent (id) deferrable initially deferred);
           create function spoil() returns trigger language plpgsql as $$ begin perform evil(); return new; end $$;
           create constraint trigger late after insert or update on child deferrable initially deferred for each row execute function evil_trigger();
           insert into child values (1);
           insert into parent values (1);"],
    ),
    (
        "a deferred exclusion constraint over a function that changes its mind",
        &["create function fickle(integer) returns integer language sql immutable as 'select $1';
           create table excluded (id integer, exclude using btree (fickle(id) with =) deferrable initially deferred);
           create or replace function fickle(integer) returns integer language plpgsql as $$ begin perform evil(); return $1; end $$;
           insert into excluded values (1), (1);
           update excluded set id = 2 where ctid = (select min(ctid) from excluded);"],
    ),
    (
        "a deferred exclusion constraint that is deferred again",
        &["create function fickle(integer) returns integer language sql immutable as 'select $1';
           create table excluded (id integer, exclude using btree (fickle(id) with =) deferrable initially deferred);
           create or replace function fickle(integer) returns integer language plpgsql as $$ begin perform evil(); return $1; end $$;
           create function again() returns trigger language plpgsql as $$ begin
               set constraints all deferred;
               insert into excluded values (1), (1);
               update excluded set id = 2 where ctid = (select min(ctid) from excluded where id = 1);
               return null;
           end $$;
           create constraint trigger late after insert on bait deferrable initially deferred for each row execute function again();
           insert into bait values (1);"],
    ),
    ("a held cursor, filled at commit", &["declare late cursor with hold for select evil();"]),
    ("a held cursor in a do block", &["do $$ begin execute 'declare late cursor with hold for select evil()'; end $$;"]),
    ("a held cursor over a view", &["create view v as select evil() as a; do $$ begin execute 'declare late scroll cursor with hold for select * from v'; end $$;"]),
    (
        "views over the catalog that stand before it",
        &["do $$
           declare name text; columns text;
           begin
               foreach name in array array['pg_roles', 'pg_authid', 'pg_auth_members', 'pg_class', 'pg_namespace', 'pg_proc',
                   'pg_database', 'pg_settings', 'pg_stat_activity', 'pg_extension', 'pg_locks', 'pg_default_acl', 'pg_attribute'] loop
                   begin
                       execute format('create temporary view %1$I as select * from pg_catalog.%1$I where evil() = 1', name);
                       execute format('grant select on pg_temp.%I to public', name);
                   exception when others then null;
                   end;
               end loop;
           end $$;"],
    ),
    (
        "temporary tables named like the bookkeeping",
        &["create temporary table placement as select gen_random_uuid() as operation_id, 'tenant' as kind, 'x' as placement, 'active' as state;
           create temporary table migration_history (placement text, position integer, file text, checksum text);"],
    ),
    (
        "functions and operators named like the system's",
        &["create function set_config(text, text, boolean) returns text language plpgsql as $$ begin perform evil(); return $2; end $$;
           create function current_setting(text) returns text language plpgsql as $$ begin perform evil(); return ''; end $$;
           create function format(text, text) returns text language plpgsql as $$ begin perform evil(); return $1; end $$;
           create function quote_ident(text) returns text language plpgsql as $$ begin perform evil(); return $1; end $$;
           create function now() returns timestamptz language plpgsql as $$ begin perform evil(); return clock_timestamp(); end $$;
           create function pg_current_xact_id() returns xid8 language plpgsql as $$ begin perform evil(); return pg_catalog.pg_current_xact_id(); end $$;
           create function same(text, text) returns boolean language plpgsql as $$ begin perform evil(); return true; end $$;
           create operator = (leftarg = text, rightarg = text, function = same);
           create operator <> (leftarg = text, rightarg = text, function = same);"],
    ),
    (
        "the daemon's prepared statements replaced",
        &["do $$
           declare statement record;
           begin
               for statement in select name, parameter_types::text[] as types from pg_prepared_statements loop
                   execute 'deallocate ' || quote_ident(statement.name);
                   execute format('prepare %I%s as select evil()', statement.name,
                       case when cardinality(statement.types) > 0 then '(' || array_to_string(statement.types, ', ') || ')' else '' end);
               end loop;
           end $$;"],
    ),
    (
        "prepared statements with the names that the daemon's will have",
        &["do $$ begin
               for number in 1..200 loop
                   begin execute format('prepare sqlx_s_%s as select evil()', number); exception when others then null; end;
               end loop;
           end $$;"],
    ),
    (
        "a rule and a trigger on its own tables for whoever reads or writes them",
        &["create view read_me as select evil() as a;
           grant usage on schema {own} to public; grant select on read_me to public; grant all on bait to public;
           create trigger now_and_then before insert or update or delete or truncate on bait for each statement execute function evil_trigger();"],
    ),
];

/// Taking over the function that runs a file, for the next file.
pub(super) const RUNNER: &[Attack] = &[
    (
        "every definer function within reach made to run as its caller",
        &[
            "do $$ declare f record; begin
                 for f in select oid::regprocedure::text as name from pg_proc where prosecdef loop
                     begin execute 'alter function ' || f.name || ' security invoker'; exception when others then null; end;
                 end loop;
             end $$;",
            "do $$ begin execute 're' || 'set role'; end $$;",
            "select evil();",
        ],
    ),
    (
        "the runner replaced by one that runs as its caller",
        &[
            "do $$ declare f record; begin
                 for f in select pronamespace::regnamespace::text as home, proname, pg_get_function_identity_arguments(oid) as arguments,
                         pg_get_function_result(oid) as result, oid::regprocedure::text as name
                     from pg_proc where prosecdef and pg_get_userbyid(proowner) = current_user loop
                     begin
                         execute format('create or replace function %s.%I(%s) returns %s language plpgsql security invoker
                             as ''begin perform {own}.evil(); end''', f.home, f.proname, f.arguments, f.result);
                     exception when others then null; end;
                 end loop;
             end $$;",
            "select 1;",
            "select evil();",
        ],
    ),
    (
        "more suitable overloads of the runner",
        &[
            "do $$ declare f record; home text; kind text; begin
                 for f in select distinct proname from pg_proc where prosecdef loop
                     for home in select nspname from pg_namespace where has_schema_privilege(oid, 'create') loop
                         foreach kind in array array['text', 'varchar', 'name', '\"char\"', 'anyelement', 'text, text', 'text[]', ''] loop
                             begin
                                 execute format('create function %I.%I(%s) returns integer language plpgsql
                                     as ''begin return {own}.evil(); end''', home, f.proname, kind);
                             exception when others then null; end;
                         end loop;
                     end loop;
                 end loop;
             end $$;",
            "select 1;",
        ],
    ),
    (
        "the runner renamed, moved and given away",
        &[
            "do $$ declare f record; begin
                 for f in select oid::regprocedure::text as name from pg_proc
                     where prosecdef and pg_get_userbyid(proowner) = current_user loop
                     begin execute 'alter function ' || f.name || ' rename to somewhere_else'; exception when others then null; end;
                     begin execute 'alter function ' || f.name || ' owner to {provisioner}'; exception when others then null; end;
                     begin execute 'alter function ' || f.name || ' set search_path to pg_temp'; exception when others then null; end;
                     begin execute 'alter function ' || f.name || ' reset all'; exception when others then null; end;
                 end loop;
             end $$;",
            "select evil();",
        ],
    ),
    (
        "the runner dropped",
        &["do $$ declare f record; begin
               for f in select oid::regprocedure::text as name from pg_proc
                   where prosecdef and pg_get_userbyid(proowner) = current_user loop
                   begin execute 'drop function ' || f.name || ' cascade'; exception when others then null; end;
               end loop;
           end $$;", "select evil();"],
    ),
];
