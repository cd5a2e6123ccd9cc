//! What runs otherwise than a file says, and what is told of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::tests::{GOOD_MANIFEST, file, summary, with_manifest};
use super::*;
use tenantry_protocol::plan::Severity;

#[test]
fn a_file_with_a_way_down_of_another_tool_is_refused_and_not_run_both_ways() {
    let sql = "create table a (id int primary key);\n-- ==== DOWN ====\ndrop table a;";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
    assert_eq!(summary(&parsed)[0], "foreign_format 1_a.sql:2");
    assert!(parsed.findings[0].message.contains("shmig"), "{:?}", parsed.findings);
}

#[test]
fn begin_and_commit_around_a_file_are_left_out_and_told() {
    let sql = "begin;\ncreate table a (id int primary key);\ncommit;";
    let parsed =
        parse(&with_manifest(&[("1_a.up.sql", sql), ("1_a.down.sql", "begin; drop table a; commit;")]));
    assert_eq!(summary(&parsed), ["own_transaction 1_a.up.sql:1"]);
    assert_eq!(parsed.findings[0].severity, Severity::Ok);
    let migration = &parsed.blueprint.unwrap().migrations[0];
    let texts = |file: &Migration| file.statements.iter().map(|one| one.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(migration), ["create table a (id int primary key)"]);
    assert_eq!(migration.content.as_ref(), sql);
    assert_eq!(texts(migration.way_back.as_ref().unwrap()), ["drop table a"]);
}

#[test]
fn placeholders_of_flyway_have_the_values_of_the_manifest_everywhere() {
    let sql = "create table ${prefix}_a (id int primary key, env text default '${env}');";
    let with = |values: &str, path: &str| {
        let manifest = format!("{GOOD_MANIFEST}[placeholders]\n{values}\n");
        parse(&[file(path, sql), file("U1__a.sql", "drop table ${prefix}_a"), file(MANIFEST, &manifest)])
    };
    let parsed = with("prefix = \"shop\"\nenv = \"prod\"", "V1__a.sql");
    assert_eq!(parsed.findings, []);
    let migration = &parsed.blueprint.unwrap().migrations[0];
    let expect = "create table shop_a (id int primary key, env text default 'prod')";
    assert_eq!(
        (migration.statements[0].text.as_str(), migration.sql.as_ref()),
        (expect, format!("{expect};").as_str())
    );
    assert_eq!(migration.content.as_ref(), sql);
    assert_eq!(migration.way_back.as_ref().unwrap().statements[0].text, "drop table shop_a");
    // In a text, too, nothing is stored as it stands.
    let parsed = with("prefix = \"shop\"", "V1__a.sql");
    assert_eq!(summary(&parsed), ["placeholder V1__a.sql:1"]);
    assert!(
        parsed.findings[0].message.contains("add env = \"…\" to blueprint.toml"),
        "{:?}",
        parsed.findings
    );
    let parsed = with("prefix = \"a\\nb\"\nenv = 1\n\"a b\" = \"\"", "V1__a.sql");
    assert_eq!(parsed.findings.iter().filter(|finding| finding.code == "manifest").count(), 3);
}

#[test]
fn an_extension_that_a_file_creates_is_one_that_the_target_must_have() {
    let sql = "create extension if not exists \"uuid-ossp\";\ncreate extension plpgsql;\n\
               create table a (id uuid primary key default uuid_generate_v4());\ncomment on extension \"uuid-ossp\" is 'x';\n\
               alter table a owner to app;\n";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql), ("2_b.sql", "create extension citext")]));
    let notes = ["extension 1_a.sql:1", "extension 1_a.sql:2", "extension 1_a.sql:4", "owner 1_a.sql:5"];
    assert_eq!(summary(&parsed), [&notes[..], &["extension 2_b.sql:1"]].concat());
    let blueprint = parsed.blueprint.unwrap();
    assert_eq!(blueprint.extensions, ["uuid-ossp", "citext"]);
    assert_eq!(blueprint.migrations[0].statements.len(), 1);
    assert_eq!(blueprint.migrations[0].content.as_ref(), sql);
}

#[test]
fn the_schema_of_the_application_gives_way_to_the_tenants() {
    let sql = "create schema if not exists public;\nset search_path = public;\ncreate table public.user (id int primary key);\n\
               do $$ begin\n  if to_regclass('public.user') is null or current_schema() = 'public' then perform 1; end if;\nend $$;";
    let with = |line: &str| {
        let manifest = format!("{GOOD_MANIFEST}{line}\n");
        parse(&[
            file("1_a.sql", sql),
            file("seed.sql", "insert into public.user values (1)"),
            file(MANIFEST, &manifest),
        ])
    };
    let parsed = with("seed = [\"seed.sql\"]\nschema = \"public\"");
    assert_eq!(summary(&parsed), ["schema_in_text 1_a.sql:5", "schema 1_a.sql:1"]);
    let blueprint = parsed.blueprint.unwrap();
    let migration = &blueprint.migrations[0];
    let texts: Vec<(u32, &str)> =
        migration.statements.iter().map(|one| (one.line, one.text.as_str())).collect();
    assert_eq!(texts[0], (3, "create table \"user\" (id int primary key)"));
    assert!(texts[1].1.contains("to_regclass('user')") && texts[1].1.contains("= 'public'"), "{texts:?}");
    assert_eq!(blueprint.seed[0].statements[0].text, "insert into \"user\" values (1)");
    // What is shown is what runs; what is kept is the file.
    assert!(migration.sql.starts_with("create table \"user\""));
    assert_eq!(migration.content.as_ref(), sql);
    let without = with("seed = [\"seed.sql\"]");
    assert!(summary(&without).contains(&"public_reference 1_a.sql:3".to_owned()), "{:?}", summary(&without));
    for bad in ["schema = \"pg_catalog\"", "schema = \"A\"", "schema = 1", "schema = \"a; drop\""] {
        assert!(summary(&with(bad)).contains(&"manifest blueprint.toml:4".to_owned()), "{bad}");
    }
}

#[test]
fn a_version_that_was_stored_with_a_placeholder_runs_as_it_did() {
    let sql = "create table a (id int primary key, b text default '${b}'); -- ${c}";
    let blueprint = parse_judged(&with_manifest(&[("V1__a.sql", sql)])).unwrap();
    assert_eq!(blueprint.migrations[0].statements.len(), 1);
    assert!(blueprint.migrations[0].statements[0].text.contains("'${b}'"));
}

#[test]
fn what_its_own_tool_runs_outside_of_transactions_is_found_in_the_manner_of_the_tool() {
    let index = "create index concurrently i on a (id);\ncreate index concurrently j on a (id);";
    for (first, path, content) in [
        ("V1__a.sql", "V2__i.sql", index.to_owned()),
        ("1_a.sql", "2_i.sql", format!("-- postgres-migrations disable-transaction\n{index}")),
        ("1_a.up.sql", "2_i.up.sql", format!("-- atlas:txmode none\n\n{index}")),
    ] {
        let parsed =
            parse(&with_manifest(&[(first, "create table a (id int primary key)"), (path, &content)]));
        let blueprint = parsed.blueprint.unwrap();
        assert!(blueprint.migrations[1].is_outside(), "{path}");
        let codes: Vec<&str> = parsed.findings.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, ["in_transaction"], "{path}");
    }
}

#[test]
fn a_new_tenant_has_what_stands_beside_and_timeouts_are_the_daemons() {
    let sql = "-- no-transaction\nset lock_timeout = '5s';\ncreate index concurrently i on a (id);\nalter table a add column b int;\n\
               vacuum;\ndrop index concurrently i, j;\nreset lock_timeout;";
    let parsed =
        parse(&with_manifest(&[("1_a.sql", "create table a (id int primary key)"), ("2_b.sql", sql)]));
    let expect = [
        "outside_statement 2_b.sql:4",
        "outside_statement 2_b.sql:5",
        "outside_statement 2_b.sql:6",
        "timeout 2_b.sql:2",
        "in_transaction 2_b.sql:3",
    ];
    assert_eq!(summary(&parsed), expect);
    assert!(
        parsed.findings.iter().all(|finding| finding.severity != Severity::Error),
        "{:?}",
        parsed.findings
    );
    let blueprint = parsed.blueprint.unwrap();
    let texts = blueprint.in_one_transaction().unwrap()[1].texts();
    assert_eq!(texts, ["create index i on a (id)", "alter table a add column b int", "drop index i, j"]);
    // Not what ends transactions, and not what is judged wherever it stands.
    for (statement, code) in [
        ("commit", "outside_statement"),
        ("create role r", "role_statements"),
        ("create database d", "outside_statement"),
    ] {
        let sql = format!("-- no-transaction\n{statement};");
        let parsed = parse(&with_manifest(&[("1_a.sql", &sql)]));
        let errors = parsed.findings.iter().filter(|finding| finding.severity == Severity::Error);
        assert!(
            errors.map(|error| error.code.as_str()).any(|found| found == code),
            "{statement}: {:?}",
            parsed.findings
        );
    }
}

#[test]
fn a_temporary_table_that_would_stand_before_a_table_of_the_schema_is_an_error() {
    let check = |sql: &str, expect: &[&str]| {
        let manifest = format!("{GOOD_MANIFEST}schema = \"public\"\n");
        let parsed = parse(&[file(MANIFEST, &manifest), file("1_a.sql", sql)]);
        assert_eq!(summary(&parsed), expect, "{sql}");
    };
    check("create temp table a as select 1;\nupdate public.a set b = 1;", &["temporary_name 1_a.sql:1"]);
    check(
        "select 1;\ncreate temporary table if not exists \"a\" (b int);\ndo $$ begin delete from \"public\".\"a\"; end $$;",
        &["temporary_name 1_a.sql:2"],
    );
    check("create temp table a as select 1;\nupdate public.b set c = (select max(a) from a);", &[]);
}

#[test]
fn several_schemas_of_an_application_become_the_tenants_one() {
    let manifest = format!("{GOOD_MANIFEST}schema = [\"public\", \"auth\"]\n");
    let sql = "create schema auth;\nset schema 'auth';\ndrop schema if exists r cascade;\ncreate table auth.user (id int primary key);\n\
               create view public.people as select * from auth.user;";
    let parsed = parse(&[file(MANIFEST, &manifest), file("1_a.sql", sql)]);
    assert_eq!(summary(&parsed), ["schema 1_a.sql:1", "schema 1_a.sql:3"]);
    let texts: Vec<String> =
        parsed.blueprint.unwrap().migrations[0].statements.iter().map(|one| one.text.clone()).collect();
    assert_eq!(
        texts,
        ["create table \"user\" (id int primary key)", "create view people as select * from \"user\""]
    );
    // A schema that a file makes may have had something in it.
    let sql = "create schema r;\ncreate table a (id int primary key);\ndrop schema if exists r;";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
    assert_eq!(summary(&parsed), ["schema_statements 1_a.sql:1"]);
    assert!(parsed.findings[0].message.ends_with(" (also 1_a.sql:3)"), "{:?}", parsed.findings);
}

#[test]
fn an_isolation_level_is_left_out_with_a_warning() {
    let sql = "begin;\nset transaction isolation level repeatable read;\ncreate table a (id int primary key);\ncommit;";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
    assert_eq!(summary(&parsed), ["isolation_level 1_a.sql:2", "own_transaction 1_a.sql:1"]);
    let sql = "set transaction isolation level serializable, read only;";
    assert_eq!(summary(&parse(&with_manifest(&[("1_a.sql", sql)])))[0], "transaction_control 1_a.sql:1");
}

#[test]
fn a_file_that_ends_its_tools_transaction_for_an_index_runs_outside() {
    let sql = "-- +migrate Up\ncreate extension if not exists pg_trgm;\ncommit;\ncreate index concurrently i on a (b);\nbegin;\n";
    let first = "-- +migrate Up\ncreate table a (b int primary key);";
    let parsed = parse(&with_manifest(&[("1_a.sql", first), ("2_b.sql", sql)]));
    assert!(parsed.findings.iter().all(|one| one.severity == Severity::Ok), "{:?}", parsed.findings);
    let file = &parsed.blueprint.unwrap().migrations[1];
    assert!(matches!(file.bounds, Bounds::Outside { .. }));
    assert_eq!(file.statements.len(), 1);
}

#[test]
fn changes_of_the_tools_own_table_are_left_out_unless_a_file_makes_it() {
    let changes = "alter table schema_migrations add column data int;\ninsert into public.schema_migrations (version) values (1);\n\
                   create trigger t before insert on schema_migrations for each row execute function f();";
    let parsed =
        parse(&with_manifest(&[("1_a.up.sql", &format!("create table a (id int primary key);\n{changes}"))]));
    assert_eq!(summary(&parsed), ["history 1_a.up.sql:2"]);
    assert_eq!(parsed.blueprint.unwrap().migrations[0].statements.len(), 1);
    let made = format!(
        "create table if not exists public.\"schema_migrations\" (version text primary key);\n{changes}"
    );
    let parsed = parse(&with_manifest(&[("1_a.up.sql", &made)]));
    assert!(!summary(&parsed).iter().any(|one| one.starts_with("history")), "{:?}", parsed.findings);
}

#[test]
fn the_servers_own_triggers_stay_enabled() {
    let sql = "create table a (id int primary key);\nalter table a disable trigger all;\nalter table a enable trigger all;\n\
               alter table a disable trigger user;";
    let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
    assert_eq!(summary(&parsed), ["triggers 1_a.sql:2"]);
    let file = &parsed.blueprint.unwrap().migrations[0];
    let texts: Vec<&str> = file.statements[1..].iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "alter table a disable trigger user",
            "alter table a enable trigger user",
            "alter table a disable trigger user"
        ]
    );
}

#[test]
fn public_is_found_in_code_and_templates_are_no_sql() {
    let check = |sql: &str, expect: &[&str]| {
        let parsed = parse(&with_manifest(&[("1_a.sql", sql)]));
        assert_eq!(summary(&parsed), expect, "{sql}");
    };
    check("select 1;\ndo $$ begin delete from \"public\".\"User\"; end $$;", &["public_reference 1_a.sql:2"]);
    check(
        "create function f() returns int language sql as $$ select count(*) from public.a $$;",
        &["public_reference 1_a.sql:1"],
    );
    check("do $$ begin raise notice 'public.a'; end $$;", &[]);
    for sql in [
        "create table {{ index .Options \"Namespace\" }}.a (id int);",
        "select <%= name %>;",
        "select <% if x %> 1 <% end %>;",
        "select * from a where b = :name;",
        "insert into a values (:'name');",
    ] {
        check(sql, &["placeholder 1_a.sql:1"]);
    }
    check("select a[1:n], a[:2], b::text, 'x' <% c from d where e := 1;", &[]);
}

#[test]
fn names_that_only_their_schemas_tell_apart_are_errors() {
    let check = |sql: &str, expect: &[&str]| {
        let manifest = format!("{GOOD_MANIFEST}schema = [\"public\", \"auth\"]\n");
        let parsed = parse(&[file(MANIFEST, &manifest), file("1_a.sql", sql)]);
        let errors = parsed.findings.iter().filter(|one| one.severity == Severity::Error);
        let found: Vec<String> =
            errors.map(|one| format!("{}:{}", one.code, one.line.unwrap_or(0))).collect();
        assert_eq!(found, expect, "{sql}");
    };
    check(
        "create function public.uid() returns int language sql as 'select 1';\ncreate function auth.uid() returns int language sql as 'select 2';",
        &["schema_name:2"],
    );
    check(
        "create table if not exists public.users (id int primary key);\ncreate table if not exists auth.users (id int primary key);",
        &["schema_name:2"],
    );
    check("create table auth.auth (id int primary key);", &["schema_name:1"]);
    check("create domain public.money as numeric(12, 2);", &["schema_name:1"]);
    check(
        "create table public.a (id int primary key);\ncreate or replace view public.v as select 1 as one;\ncreate or replace view public.v as select 1 as one;",
        &[],
    );
}
