//! Folders of migrations as seven tools have them: each makes the same tenant, or says with file and line why it does not.
//!
//! The folders beside this file are written in each tool's own style, with its odd corners: byte order marks, line ends of
//! another system, quotes that hide semicolons, down migrations that must not run.

use sqlx::Connection;
use tenantry_harness::binaries::project_dir;
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder, Provisioned};
use tenantry_protocol::blueprint::{BlueprintUpload, UploadedFile};

const TOOLS: [&str; 7] = ["flyway", "sqlx", "dbmate", "goose", "golang-migrate", "diesel", "numbered"];

/// Everything that a schema consists of, and its rows; `$1` is the schema, whose name is left out.
const CONTENT: &str = "
    select format('column %s.%s %s default=%s null=%s', relname, attname, format_type(atttypid, atttypmod),
            pg_get_expr(adbin, adrelid), not attnotnull) as line
        from pg_attribute join pg_class c on c.oid = attrelid left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where relnamespace = $1::regnamespace and attnum > 0 and relkind in ('r', 'v')
    union all select format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
        where connamespace = $1::regnamespace
    union all select pg_get_indexdef(indexrelid) from pg_index join pg_class on oid = indexrelid where relnamespace = $1::regnamespace
    union all select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = tgrelid
        where relnamespace = $1::regnamespace and not tgisinternal
    union all select format('function %s: %s', proname, prosrc) from pg_proc where pronamespace = $1::regnamespace
    union all select format('view %s: %s', relname, pg_get_viewdef(oid)) from pg_class
        where relnamespace = $1::regnamespace and relkind = 'v'";

const ROWS: &str = "select (select jsonb_agg(to_jsonb(c) order by c.id) from customers c)
    || (select jsonb_agg(to_jsonb(o) - 'changed_at' || jsonb_build_object('touched', o.changed_at is not null)) from orders o)
    || (select jsonb_agg(to_jsonb(v)) from order_counts v)";

/// The tenant's entries in the catalog, and its rows.
async fn content(env: &Env, made: &Provisioned) -> Vec<String> {
    let mut lines = structure(env, made).await;
    let rows = env.psql(&made.credentials, ROWS).await.assert_status(0);
    lines.push(rows.stdout);
    lines
}

async fn structure(env: &Env, made: &Provisioned) -> Vec<String> {
    let placement = made.tenant.placement.as_str();
    let mut connection = env.target().await;
    let found = sqlx::query_scalar::<_, String>(CONTENT).bind(placement).fetch_all(&mut connection).await;
    connection.close().await.unwrap();
    let mut lines: Vec<String> =
        found.unwrap().into_iter().map(|line| line.replace(&format!("{placement}."), "")).collect();
    lines.sort();
    lines
}

fn fixture(tool: &str) -> String {
    project_dir().join("tests/e2e/blueprints/conventions").join(tool).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_folder_of_each_of_seven_tools_makes_the_same_tenant() {
    let env = Env::new().await;
    let mut first: Option<Vec<String>> = None;
    for tool in TOOLS {
        let output = env.tenantry(&["blueprint", "add", &fixture(tool)]).await.assert_status(0);
        assert!(!output.stdout.contains("error["), "{output}");
        let made = env.provision_of(tool, &format!("shop-{tool}")).await;
        let content = content(&env, &made).await;
        match &first {
            None => {
                let rows = content.last().unwrap();
                for part in [
                    "O'Brien; & Söhne -- no comment",
                    "\"note\": \"first\"",
                    "\"touched\": true",
                    "\"orders\": 1",
                ] {
                    assert!(rows.contains(part), "{part} is not in {rows}");
                }
                assert!(content.iter().any(|line| line.contains("orders_touch")), "{content:#?}");
                first = Some(content);
            }
            Some(first) => {
                assert_eq!(first, &content, "the tenant of {tool} differs from that of {}", TOOLS[0])
            }
        }
    }
}

/// As pg_dump writes it.
const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict dQ3rT8

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
COMMENT ON SCHEMA public IS 'standard public schema';

CREATE TYPE public.mood AS ENUM (
    'fine',
    'low'
);
ALTER TYPE public.mood OWNER TO app;

CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public', 'pg_temp'
    AS $$
begin
    new.seen = (select count(*) from public."user");
    return new;
end $$;
ALTER FUNCTION public.touch() OWNER TO app;

CREATE TABLE public."user" (
    id integer NOT NULL,
    mood public.mood DEFAULT 'fine'::public.mood NOT NULL,
    seen bigint
);
ALTER TABLE public."user" OWNER TO app;
CREATE SEQUENCE public.user_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.user_id_seq OWNER TO app;
ALTER SEQUENCE public.user_id_seq OWNED BY public."user".id;
ALTER TABLE ONLY public."user" ALTER COLUMN id SET DEFAULT nextval('public.user_id_seq'::regclass);
ALTER TABLE ONLY public."user" ADD CONSTRAINT user_pkey PRIMARY KEY (id);
CREATE TRIGGER touch BEFORE INSERT ON public."user" FOR EACH ROW EXECUTE FUNCTION public.touch();

\unrestrict dQ3rT8
"#;

/// The same, as somebody writes it for one schema.
const BY_HAND: &str = "
    create type mood as enum ('fine', 'low');
    create function touch() returns trigger language plpgsql set search_path from current as $$
begin
    new.seen = (select count(*) from \"user\");
    return new;
end $$;
    create table \"user\" (id integer not null, mood mood not null default 'fine', seen bigint);
    create sequence user_id_seq as integer owned by \"user\".id;
    alter table \"user\" alter column id set default nextval('user_id_seq');
    alter table \"user\" add constraint user_pkey primary key (id);
    create trigger touch before insert on \"user\" for each row execute function touch();";

#[tokio::test]
async fn a_dump_goes_in_as_it_is_once_the_manifest_names_its_schema() {
    let env = Env::new().await;
    let refused = folder(&env, "refused", &[("1_structure.sql", DUMP)]);
    let output = env.tenantry(&["blueprint", "check", &refused]).await.assert_status(1);
    assert!(output.stdout.contains("add schema = \"public\" to blueprint.toml"), "{output}");

    let dump = folder(&env, "dump", &[("1_structure.sql", DUMP)]);
    let manifest = format!("{dump}/blueprint.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, format!("{text}schema = \"public\"\n")).unwrap();
    env.add_blueprint(&dump).await;
    env.add_blueprint(&folder(&env, "by-hand", &[("1_structure.sql", BY_HAND)])).await;
    let (one, other) = (env.provision_of("one", "dump").await, env.provision_of("other", "by-hand").await);
    assert_eq!(structure(&env, &one).await, structure(&env, &other).await);
    let insert = "insert into \"user\" default values returning seen";
    assert!(env.psql(&one.credentials, insert).await.assert_status(0).stdout.contains('0'));
    // The path of its function has the name of its schema, and is the same in each tenant.
    let another = env.provision_of("another", "dump").await;
    assert!(env.psql(&another.credentials, insert).await.assert_status(0).stdout.contains('0'));
    env.tenantry(&["tenant", "drift", "another"]).await.assert_status(0);
    env.tenantry(&["tenant", "drift", "one"]).await.assert_status(0);
}

/// A folder of these files with a manifest, below the test's own folder.
fn folder(env: &Env, name: &str, files: &[(&str, &str)]) -> String {
    let dir = env.dir.join(name);
    std::fs::create_dir(&dir).unwrap();
    let manifest = format!("name = \"{name}\"\nversion = \"1.0\"\ntitle = \"Made by a test\"\n");
    for (path, content) in files.iter().copied().chain([("blueprint.toml", manifest.as_str())]) {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_its_file_and_line() {
    let env = Env::new().await;
    let ok = "create table a (id int primary key);";
    let dump = format!("{ok}\ncopy a (id) from stdin;\n1\n\\.\n");
    let goose = |rest: &str| format!("-- +goose Up\r\n{ok}\r\n{rest}");
    let block = goose("-- +goose StatementBegin\r\nselect 1;\r\n");
    let typing = goose("-- +goose Donw\r\ndrop table a;\r\n");
    let outside = "-- +goose NO TRANSACTION\n-- +goose Up\ncluster;".to_owned();
    let dbmate = "\u{feff}-- migrate:up transaction:false\ncluster;".to_owned();
    let sqlx = "-- no-transaction\ncluster;".to_owned();
    let psql = format!("{ok}\r\n\r\n\\connect other\r\n");
    let begin = format!("begin;\n{ok}\nrollback;\n");
    for (at, (files, says)) in [
        (vec![("00001_a.sql", block.as_str())], "00001_a.sql:3: error[statement_block]"),
        (vec![("00001_a.sql", typing.as_str())], "00001_a.sql:3: error[unknown_directive]"),
        (vec![("00001_a.sql", outside.as_str())], "00001_a.sql:3: error[outside_statement]"),
        (vec![("1_a.sql", "-- +goose Up\nselect 1;"), ("2_b.sql", ok)], "2_b.sql:1: error[missing_up]"),
        (vec![("20240101_a.sql", dbmate.as_str())], "20240101_a.sql:2: error[outside_statement]"),
        (vec![("20240101_a.sql", sqlx.as_str())], "20240101_a.sql:2: error[outside_statement]"),
        (vec![("000001_a.up.sql", begin.as_str())], "000001_a.up.sql:1: error[transaction_control]"),
        (
            vec![("2024-01-01-120000_a/up.sql", psql.as_str())],
            "2024-01-01-120000_a/up.sql:3: error[psql_command]",
        ),
        (vec![("01.sql", dump.as_str())], "01.sql:2: error[copy_from_stdin]"),
        (vec![("V1__a.sql", "\r\n\r\ndo $x$ begin end $y$;")], "V1__a.sql:3: error[unterminated]"),
        (vec![("V1__a.sql", ok), ("2_b.up.sql", ok)], "V1__a.sql: error[mixed_conventions]: 2_b.up.sql"),
        (vec![("2_a.down.sql", ok), ("1_b.up.sql", ok)], "2_a.down.sql: error[missing_up]"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder(&env, &format!("folder-{at}"), &files);
        let output = env.tenantry(&["blueprint", "check", &path]).await.assert_status(1);
        assert!(output.stdout.contains(says), "'{says}' is not in its answer\n{output}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_named_with_the_line_of_the_whole_file() {
    let env = Env::new().await;
    let goose = "-- An old one.\r\n-- +goose Up\r\ncreate table a (id int primary key);\r\n\r\n-- +goose StatementBegin\r\n\
                 create\r\n    tabel b (id int);\r\n-- +goose StatementEnd\r\n-- +goose Down\r\ndrop table a;\r\n";
    let diesel = "\u{feff}create table a (id int primary key);\ninsert into a values (1);\n\ninsert into a values (1);\n";
    for (name, file, sql, says) in [
        ("goose", "00001_a.sql", goose, ["00001_a.sql:7", "42601"]),
        ("diesel", "2024-01-01-120000_a/up.sql", diesel, ["2024-01-01-120000_a/up.sql:4", "23505"]),
    ] {
        env.add_blueprint(&folder(&env, name, &[(file, sql)])).await;
        let output = env.tenantry(&["tenant", "create", name, "--blueprint", name]).await;
        output.assert_status(1).assert_says(&says).assert_says(&["nothing is left"]);
        env.assert_clean_slate(&env.tenant(name).await.tenant.placement).await;
    }
}

#[tokio::test]
async fn a_folder_without_a_manifest_is_shown_one_that_works() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let sql =
        UploadedFile { path: "V1__a.sql".into(), content: "create table a (id int primary key);".into() };
    let upload = BlueprintUpload { files: vec![sql.clone()] };
    let report = client.blueprint_check(context(), upload).await.unwrap().unwrap();
    assert!(report.blueprint.is_none());
    let finding = &report.findings[0];
    assert_eq!(finding.code, "no_manifest");
    let (_, pasted) = finding.message.split_once('\n').expect("a manifest below the sentence");
    let manifest = UploadedFile { path: "blueprint.toml".into(), content: pasted.into() };
    let upload = BlueprintUpload { files: vec![sql, manifest] };
    let report = client.blueprint_check(context(), upload).await.unwrap().unwrap();
    assert!(report.is_usable() && report.findings.is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_file_is_taken_out_of_the_transaction_in_the_way_of_each_tool() {
    let env = Env::new().await;
    let table = "create table item (id int primary key, code int);";
    let index = "create index concurrently item_code on item (code);";
    let goose = |sql: &str| format!("-- +goose Up\n{sql}\n");
    let metadata = "run_in_transaction = false\n".to_owned();
    let tools = [
        (
            "sqlx",
            [("1_item.sql", table.to_owned()), ("2_code.sql", format!("-- no-transaction\n{index}"))]
                .to_vec(),
        ),
        (
            "goose",
            [
                ("1_item.sql", goose(table)),
                ("2_code.sql", format!("-- +goose NO TRANSACTION\n{}", goose(index))),
            ]
            .to_vec(),
        ),
        (
            "dbmate",
            [
                ("1_item.sql", format!("-- migrate:up\n{table}\n-- migrate:down\n")),
                ("2_code.sql", format!("-- migrate:up transaction:false\n{index}\n-- migrate:down\n")),
            ]
            .to_vec(),
        ),
        ("golang", [("1_item.up.sql", table.to_owned()), ("2_code.up.sql", index.to_owned())].to_vec()),
        (
            "diesel",
            [
                ("2024-01-01-120000_item/up.sql", table.to_owned()),
                ("2024-01-02-120000_code/up.sql", index.to_owned()),
                ("2024-01-02-120000_code/metadata.toml", metadata),
            ]
            .to_vec(),
        ),
    ];
    for (tool, files) in tools {
        let folder = Folder::new(&env.dir, tool, "1.0");
        for (path, content) in files {
            let path = std::path::Path::new(folder.path()).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        env.add_blueprint(folder.path()).await;
        let made = env.provision_of(tool, tool).await;
        let mut target = env.target().await;
        let index = format!("{}.item_code", made.tenant.placement);
        let is_valid = "select indisvalid from pg_index where indexrelid = $1::regclass";
        let is_valid: bool = sqlx::query_scalar(is_valid).bind(index).fetch_one(&mut target).await.unwrap();
        assert!(is_valid, "{tool}");
        let stored = env.tenantry(&["blueprint", "show", tool, "--json"]).await.assert_status(0).json();
        assert_eq!(stored["blueprint"]["migrations"][1]["outside"], true, "{tool}: {stored}");
    }
}
