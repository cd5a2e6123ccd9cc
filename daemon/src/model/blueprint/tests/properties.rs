//! For any upload, the answer is bounded, says where a fault is, and is safe to print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::model::blueprint::invariants;

/// Paths and contents as people and attackers write them: pieces of real ones mixed with arbitrary text.
fn pieces(real: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![3 => prop::sample::select(real).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
}

const PATHS: &[&str] = &[
    "V1__",
    "V2.1__",
    "B2__",
    "afterMigrate",
    "-up.sql",
    "-down.sql",
    ".autocommit",
    ".postgres",
    "structure",
    "10/",
    "R__",
    "U1__",
    "001_",
    "20240101120000_",
    "2024-01-01_",
    "migration.sql",
    "up.sql",
    "down",
    "seed/",
    "/",
    "..",
    "\\",
    ".sql",
    ".up.sql",
    ".sql.conf",
    "blueprint.toml",
    "\u{202e}",
    "\0",
];
const SQL: &[&str] = &[
    "create table a (id int primary key);",
    "select ",
    "'",
    "\"",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "\n",
    ";",
    "begin;",
    "commit;",
    "create extension ",
    "set search_path = ",
    " owner to ",
    "do ",
    "create function f() returns int language sql as ",
    "public.",
    "'public.a'::regclass",
    "${a}",
    "${b}",
    "\\restrict x\n",
    "-- Up Migration\n",
    "-- Down\n",
    "E'\\",
    "\\copy",
    "grant all on a to public;",
    "-- migrate:up\n",
    "-- +goose Up\n",
    "-- no-transaction\n",
    "-- +migrate Up\n",
    "-- +migrate StatementBegin\n",
    "-- rambler up\n",
    "---- create above / drop below ----\n",
    "-- //@UNDO\n",
    "create index concurrently i on a (id);",
    "alter type t add value 'x';",
    "create temp table b (id int);",
    "insert into schema_migrations values (1);",
    "drop extension if exists ",
    "tenant_id uuid",
    "(",
    ")",
];
const MANIFESTS: &[&str] = &[
    "name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\nschema = \"public\"\n[placeholders]\na = \"b\"\n",
    "convention = \"refinery\"\n",
    "convention = \"hasura\"\n",
    "name = \"shop\"\n",
    "version = \"1.0\"\n",
    "title = \"Shop\"\n",
    "tenancy = \"shared\"\n",
    "tenancy = \"database\"\n",
    "seed = [\"seed/a.sql\"]\n",
    "extensions = [\"citext\"]\n",
    "[settings.x]\n",
    "default = 1\n",
    "min = ",
    "\"",
    "\u{1b}[31m",
    "=",
    "9",
];

fn files() -> impl Strategy<Value = Vec<SourceFile>> {
    let sql = (pieces(PATHS), pieces(SQL)).prop_map(|(path, content)| SourceFile { path, content });
    let manifest = pieces(MANIFESTS).prop_map(|content| SourceFile { path: MANIFEST.to_owned(), content });
    (manifest, prop::collection::vec(sql, 0..5)).prop_map(|(manifest, mut files)| {
        files.push(manifest);
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_upload_gets_an_answer_that_is_safe_to_print(files in files()) {
        invariants::an_upload_gets_an_answer(&files);
    }

    #[test]
    fn a_folder_of_any_tool_gets_an_answer(
        tool in 0..1000_usize,
        manifest in pieces(MANIFESTS),
        contents in prop::collection::vec(pieces(SQL), 0..5),
    ) {
        let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
        invariants::a_folder_of_a_tool_gets_an_answer(tool, "", &contents);
        invariants::a_folder_of_a_tool_gets_an_answer(tool, &manifest, &contents);
    }

    #[test]
    fn statements_are_pieces_of_their_file(sql in pieces(SQL)) {
        invariants::statements_are_pieces_of_their_file(&sql);
    }

    #[test]
    fn only_names_of_the_grammar_are_names(text in prop_oneof!["[a-zA-Z0-9_-]{0,45}", any::<String>()]) {
        invariants::only_names_of_the_grammar_are_names(&text);
    }
}

/// Cases that the fuzzer found.
#[test]
fn names_that_a_file_quotes_are_safe_to_print_in_findings() {
    for tenancy in ["schema", "shared"] {
        let manifest =
            format!("name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\ntenancy = \"{tenancy}\"\n");
        let sql = "create table \"a\n\u{202e}\u{1b}[2J\" (id int); select \"b\n\u{1b}c\".f();";
        let files = [(MANIFEST, manifest.as_str()), ("V1__a.sql", sql), ("V2__b.sql", "\u{2000}")];
        let files = files.map(|(path, content)| SourceFile { path: path.into(), content: content.into() });
        invariants::an_upload_gets_an_answer(&files);
        assert!(parse(&files).findings.iter().any(|finding| finding.code.starts_with("no_")));
    }
    invariants::statements_are_pieces_of_their_file("\u{2000}");
}
