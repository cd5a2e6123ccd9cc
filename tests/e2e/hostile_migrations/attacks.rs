//! What hostile migrations say, as data. Each runs after `payload.sql`, one file of a blueprint for each text.
//!
//! `evil()` is the payload: it uses whatever rights the code that calls it has. An attack is a way to have it, or one
//! statement of it, called with more rights than the tenant's own.

/// Name, and the texts of its files.
pub(super) type Attack = (&'static str, &'static [&'static str]);

/// Statements that begin in the tenant's own rights and try to leave them.
const ROLE_CHANGES: &[Attack] = &[
    ("the payload called directly", &["select evil();", "do $$ begin perform evil(); end $$;"]),
    ("reset role in a do block", &["do $$ begin execute 're' || 'set role'; execute 'create ro' || 'le pwned'; end $$;"]),
    ("reset role before the payload", &["do $$ begin execute 're' || 'set role'; end $$;", "select evil();"]),
    ("reset session authorization", &["do $$ begin execute 'reset session auth' || 'orization'; end $$;", "select evil();"]),
    ("set role to the provisioner", &["do $$ begin execute 'set ro' || 'le {provisioner}'; end $$;", "select evil();"]),
    ("set local role none", &["do $$ begin execute 'set local ro' || 'le none'; end $$;", "select evil();"]),
    (
        "set session authorization to the provisioner",
        &["do $$ begin execute 'set session auth' || 'orization {provisioner}'; end $$;", "select evil();"],
    ),
    ("set_config role", &["select set_config('ro' || 'le', 'none', false);", "select evil();"]),
    ("set_config role, local", &["select set_config('ro' || 'le', '{provisioner}', true);", "select evil();"]),
    ("set_config session_authorization", &["select set_config('session_auth' || 'orization', '{provisioner}', false);", "select evil();"]),
    (
        "a function that sets the role as its own setting",
        &[
            "do $$ begin execute 'create function as_none() returns int language sql set ro' || 'le = ''none'' as ''select evil()'''; \
             exception when others then null; end $$;",
            "do $$ begin perform as_none(); exception when others then null; end $$;",
        ],
    ),
    (
        "altering its own functions to run as somebody else",
        &[
            "do $$ begin execute 'alter function evil() owner to {provisioner}'; exception when others then null; end $$;
             do $$ begin execute 'alter function evil() security definer'; end $$;",
            "select evil();",
        ],
    ),
];

/// Attempts to end the transaction early, or to move its end.
const TRANSACTION_CONTROL: &[Attack] = &[
    ("commit in a do block", &["do $$ begin commit; end $$;", "select 1 / 0;"]),
    ("commit by execute", &["do $$ begin execute 'com' || 'mit'; end $$;", "select 1 / 0;"]),
    ("rollback in a do block", &["do $$ begin rollback; end $$;", "select evil();"]),
    (
        "commit in a procedure",
        &[
            "create procedure p() language plpgsql as $$ begin commit; perform evil(); end $$; call p();",
            "select 1 / 0;",
        ],
    ),
    (
        "commit by execute of a call",
        &[
            "create procedure p() language plpgsql as $$ begin commit; end $$; do $$ begin execute 'call p()'; end $$;",
        ],
    ),
    ("prepare transaction", &["do $$ begin execute 'prepare trans' || 'action ''pwned'''; end $$;"]),
    ("savepoint and release", &["do $$ begin execute 'savepoint s'; execute 'release s'; end $$;"]),
    ("rollback and chain", &["do $$ begin rollback and chain; end $$;", "select evil();"]),
    ("a transaction made read only", &["do $$ begin execute 'set trans' || 'action read only'; end $$;"]),
    (
        "a session made read only",
        &["do $$ begin execute 'set session character' || 'istics as trans' || 'action read only'; end $$;"],
    ),
];

/// Code that is stored now, to run when somebody else acts.
const LATER: &[Attack] = &[
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

/// The function that runs a file, taken over for the next file.
const RUNNER: &[Attack] = &[
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

/// Settings of the session that later statements of somebody else would run under.
const SETTINGS: &[Attack] = &[
    (
        "backslashes in strings",
        &["set standard_conforming_strings = off;", "set backslash_quote = on;", "select evil();"],
    ),
    ("another search path", &["set search_path = {own}, pg_catalog, public;", "select evil();"]),
    ("deallocate all", &["do $$ begin execute 'deallocate all'; end $$;", "select evil();"]),
    (
        "discard all",
        &[
            "do $$ begin execute 'discard all'; exception when others then null; end $$;",
            "do $$ begin execute 'discard temp'; end $$;",
            "select evil();",
        ],
    ),
    (
        "close all and unlisten",
        &[
            "do $$ begin execute 'close all'; end $$;",
            "do $$ begin execute 'listen pwned'; execute 'notify pwned'; end $$;",
        ],
    ),
    (
        "time limits turned off and on",
        &[
            "set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0;",
            "set statement_timeout = '1ms';",
        ],
    ),
    (
        "another encoding and time zone",
        &["set client_encoding = 'latin1';", "set timezone = 'Asia/Tokyo'; set datestyle = 'german';"],
    ),
    (
        "a session that claims to be a replica",
        &["do $$ begin execute 'set session_replication_role = replica'; end $$;"],
    ),
    (
        "row security off and checks off",
        &["set row_security = off; set check_function_bodies = off; set default_transaction_read_only = on;"],
    ),
];

/// Reaching beyond the schema by plain statements.
const BEYOND: &[Attack] = &[
    (
        "grants to everybody",
        &[
            "grant usage on schema {own} to public; grant all on all tables in schema {own} to public; grant execute on function evil() to public;",
        ],
    ),
    (
        "grants to another tenant",
        &[
            "do $$ begin execute 'gr' || 'ant usage on schema {own} to {victim}_app'; execute 'gr' || 'ant all on bait to {victim}_app'; end $$;",
        ],
    ),
    (
        "default privileges for everybody",
        &[
            "do $$ begin execute 'alter default privileges gr' || 'ant all on tables to public'; end $$;",
            "create table after_that (a integer primary key);",
        ],
    ),
    (
        "a security definer function, misused later",
        &[
            "create function power() returns integer language plpgsql security definer as $$ begin return evil(); end $$; grant execute on function power() to public; grant usage on schema {own} to public;",
        ],
    ),
    (
        "writes to the bookkeeping",
        &["do $$ begin execute 'update tenantry' || '.placement set state = ''active'''; end $$;"],
    ),
    (
        "a table in the bookkeeping's schema",
        &["do $$ begin execute 'create table tenantry' || '.pwned (a int)'; end $$;"],
    ),
    ("a schema of another name", &["do $$ begin execute 'create schema pwned'; end $$;"]),
    ("a role", &["do $$ begin execute 'create ro' || 'le pwned'; end $$;"]),
    ("its own schema renamed", &["do $$ begin execute 'alter schema {own} rename to pwned'; end $$;"]),
    ("its own schema dropped", &["do $$ begin execute 'drop schema {own} cascade'; end $$;"]),
    (
        "its own schema given away",
        &["do $$ begin execute 'alter schema {own} owner to {provisioner}'; end $$;"],
    ),
    (
        "everything it owns given away",
        &["do $$ begin execute 'reassign owned by current_user to {provisioner}'; end $$;"],
    ),
    ("everything it owns dropped", &["do $$ begin execute 'drop owned by current_user cascade'; end $$;"]),
    (
        "a program of the operating system",
        &["do $$ begin execute 'copy bait to program ''touch {marker}'''; end $$;"],
    ),
    ("a program to read from", &["do $$ begin execute 'copy bait from program ''touch {marker}'''; end $$;"]),
    ("a file of the server", &["select pg_read_file('postgresql.conf');"]),
    ("a folder of the server", &["select pg_ls_dir('.');"]),
    ("a large object from a file", &["select lo_import('/etc/passwd');"]),
    ("large objects outside the schema", &["select lo_create(0); select lo_from_bytea(0, 'pwned');"]),
    ("reading another tenant", &["select * from {victim}.users;"]),
    ("writing another tenant", &["update {victim}.users set display_name = 'pwned';"]),
    ("a foreign key to another tenant", &["create table spy (id bigint references {victim}.users);"]),
    ("a view over another tenant", &["create view spy as select * from {victim}.users;"]),
    ("inheriting from another tenant's table", &["create table spy () inherits ({victim}.users);"]),
    (
        "cutting the daemon's sessions",
        &[
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database();",
        ],
    ),
    ("advisory locks for ever", &["select count(pg_advisory_lock(n)) from generate_series(1, 500) n;"]),
    (
        "the whole installation's settings",
        &["do $$ begin execute 'alter system set work_mem = ''1MB'''; end $$;"],
    ),
    (
        "the database's settings",
        &[
            "do $$ begin execute 'alter database ' || quote_ident(current_database()) || ' set work_mem = ''1MB'''; end $$;",
        ],
    ),
];

pub(super) fn all() -> Vec<Attack> {
    [ROLE_CHANGES, TRANSACTION_CONTROL, LATER, RUNNER, SETTINGS, BEYOND].concat()
}

/// What a lint already refuses when it stands in the open; each must name the rule.
pub(super) const IN_THE_OPEN: &[(&str, &str)] = &[
    ("reset role;", "session_control"),
    ("set role {provisioner};", "session_control"),
    ("set session authorization default;", "session_control"),
    ("commit;", "transaction_control"),
    ("rollback;", "transaction_control"),
    ("begin;", "transaction_control"),
    ("create role pwned;", "role_statements"),
    ("create extension dblink;", "create_extension"),
    ("create index concurrently i on bait (id);", "not_transactional"),
];
