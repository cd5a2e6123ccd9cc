//! What hostile migrations contain, as data. Each runs after `payload.sql`, with one file of a blueprint for each text.
//!
//! `evil()` is the payload: it uses whatever rights its caller has. An attack tries to have the payload, or one statement
//! of it, run with more rights than the tenant's own.

mod outside;
mod stored;

pub(super) use outside::is_outside;
use stored::{LATER, RUNNER};

/// The name, and the texts of the files.
pub(super) type Attack = (&'static str, &'static [&'static str]);

/// Statements that begin with the tenant's own rights and try to leave them.
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

/// Settings of the session under which later statements of others would run.
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
    [ROLE_CHANGES, TRANSACTION_CONTROL, LATER, RUNNER, outside::OUTSIDE, SETTINGS, BEYOND].concat()
}

/// What a lint already refuses when it is written openly; each must name the rule.
pub(super) const IN_THE_OPEN: &[(&str, &str)] = &[
    ("reset role;", "session_control"),
    ("set role {provisioner};", "session_control"),
    ("set session authorization default;", "session_control"),
    ("commit;", "transaction_control"),
    ("rollback;", "transaction_control"),
    ("begin;", "transaction_control"),
    ("create role pwned;", "role_statements"),
    ("alter extension dblink update;", "create_extension"),
    ("create table c (id int primary key); create index concurrently i on bait (id);", "not_transactional"),
];
