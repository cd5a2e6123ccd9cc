//! What an upgrade costs a tenant in use: each lint with statements that it finds, and with their safe forms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::model::blueprint::{SourceFile, invariants, parse};

/// What the tenant has.
const SHOP: &str = "create table items (id bigint primary key, name varchar(20) not null, code text, price numeric(8, 2), \
                    note varchar, weight int);\ncreate table sales (id bigint primary key);\n\
                    create view cheap as select id from items;\ncreate function worth(a int) returns int return a;\n\
                    create materialized view totals as select count(*) from items;\ncreate index items_code on items (code);\n\
                    create type mood as enum ('good');";

type File<'a> = (&'a str, &'a str);

fn blueprint(version: &str, more: &str, files: &[File<'_>]) -> Blueprint {
    let manifest = format!("name = \"shop\"\nversion = \"{version}\"\ntitle = \"Shop\"\n{more}");
    let always = [("blueprint.toml", manifest.as_str()), ("V1__shop.sql", SHOP)];
    let files: Vec<SourceFile> = always.iter().chain(files).map(own).collect();
    let parsed = parse(&files);
    parsed.blueprint.unwrap_or_else(|| panic!("{:?}", parsed.findings))
}

fn own((path, content): &File<'_>) -> SourceFile {
    SourceFile { path: (*path).to_owned(), content: (*content).to_owned() }
}

static FIRST: LazyLock<Blueprint> = LazyLock::new(|| blueprint("1.0", "", &[]));

fn findings_of(files: &[File<'_>]) -> Vec<Finding> {
    live_findings(&FIRST, &blueprint("1.1", "", files))
}

fn codes(files: &[File<'_>]) -> Vec<String> {
    findings_of(files)
        .into_iter()
        .map(|finding| format!("{}:{}", finding.code, finding.line.unwrap()))
        .collect()
}

/// Each of these statements is found once, in upper case too, and on its line.
fn finds(code: &str, statements: &[&str]) {
    for sql in statements {
        assert_eq!(codes(&[("V2__b.sql", &format!("select 1;\n{sql};"))]), [format!("{code}:2")], "{sql}");
        let upper = sql.to_uppercase();
        assert_eq!(codes(&[("V2__b.sql", &upper)]), [format!("{code}:1")], "{upper}");
    }
}

fn allows(statements: &[&str]) {
    for sql in statements {
        assert_eq!(findings_of(&[("V2__b.sql", sql)]), [], "{sql}");
    }
}

const CONF: File<'static> = ("V3__c.sql.conf", "executeInTransaction=false");

#[test]
fn an_index_is_built_beside_the_tenants_work() {
    finds(
        "live_index",
        &[
            "create index items_name on items (name)",
            "create unique index on only items using btree (code)",
            "create index if not exists items_code on items (code)",
            "reindex table items",
            "drop index if exists items_code",
        ],
    );
    let concurrently = [("V3__c.sql", "create index concurrently items_name on items (name);"), CONF];
    assert_eq!(findings_of(&concurrently), []);
    let dropped = [("V3__c.sql", "drop index concurrently items_code;"), CONF];
    assert_eq!(findings_of(&dropped), []);
    let accepting =
        [("V3__c.sql", "create index concurrently if not exists items_name on items (name);"), CONF];
    assert_eq!(codes(&accepting), ["live_index_if_not_exists:1"]);
}

#[test]
fn a_constraint_is_validated_where_nobody_waits() {
    finds(
        "live_constraint",
        &[
            "alter table items add constraint dear check (price > 0)",
            "alter table only items add check (price > 0)",
            "alter table items add constraint sold foreign key (id) references sales (id)",
            "alter table items add column a int check (a > 0)",
            "alter table items add column a bigint default 1 references sales (id)",
        ],
    );
    allows(&[
        "alter table items add constraint dear check (price > 0) not valid",
        "alter table items add constraint sold foreign key (id) references sales (id) not valid",
        // There is nothing to compare in a column without a value.
        "alter table items add column sale_id bigint references sales (id)",
    ]);
    let added = "alter table items add constraint dear check (price > 0) not valid;";
    let validated = "alter table items validate constraint dear;";
    assert_eq!(codes(&[("V2__b.sql", &format!("{added}\n{validated}"))]), ["live_validation:2"]);
    assert_eq!(codes(&[("V2__b.sql", added), ("V3__c.sql", validated)]), ["live_validation:1"]);
    let between = [("V2__b.sql", added), ("V3__c.sql", "analyze items;"), CONF, ("V4__d.sql", validated)];
    assert_eq!(findings_of(&between), [], "another transaction is between the two");
    assert_eq!(findings_of(&[("V2__b.sql", added), ("V3__c.sql", validated), CONF]), []);
}

#[test]
fn a_column_is_required_behind_a_validated_check() {
    finds(
        "live_not_null",
        &["alter table items alter column code set not null", "alter table items alter code set not null"],
    );
    // It cannot be null already.
    allows(&["alter table items alter column name set not null", "alter table items alter id set not null"]);
    let added = "alter table items add constraint code_required check (code is not null) not valid;";
    let validated = "alter table items validate constraint code_required;";
    let required = "alter table items alter column code set not null;";
    let first = blueprint("1.0", "", &[("V2__b.sql", added)]);
    let second = [("V2__b.sql", added), ("V3__c.sql", validated), ("V4__d.sql", required)];
    assert_eq!(live_findings(&first, &blueprint("1.1", "", &second)), []);
    let unchecked = [("V2__b.sql", added), ("V4__d.sql", required)];
    let found = live_findings(&first, &blueprint("1.1", "", &unchecked));
    assert_eq!(found.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["live_not_null"]);
}

#[test]
fn a_key_takes_an_index_that_is_there() {
    finds(
        "live_key",
        &[
            "alter table items add constraint items_code_key unique (code)",
            "alter table items add unique (code)",
            "alter table items add primary key (id)",
            "alter table items add constraint apart exclude using gist (code with =)",
            "alter table items add column slug text unique",
        ],
    );
    allows(&["alter table items add constraint items_code_key unique using index items_code_key"]);
}

#[test]
fn a_type_is_changed_where_no_row_is_written_anew() {
    finds(
        "live_type",
        &[
            "alter table items alter column id type int",
            "alter table items alter weight set data type bigint",
            "alter table items alter name type varchar(10)",
            "alter table items alter code type varchar(10)",
            "alter table items alter code type text using upper(code)",
            "alter table items alter price type numeric(10, 3)",
            "alter table items alter unknown type text",
        ],
    );
    allows(&[
        "alter table items alter name type varchar(40)",
        "alter table items alter name type text",
        "alter table items alter name type character varying",
        "alter table items alter code type varchar",
        "alter table items alter note type text",
        "alter table items alter price type numeric(12, 2)",
        "alter table items alter price type numeric",
        "alter table items alter weight type int",
    ]);
}

#[test]
fn a_new_column_costs_no_row_anything() {
    finds(
        "live_default",
        &[
            "alter table items add column a uuid default gen_random_uuid()",
            "alter table items add a timestamptz not null default clock_timestamp()",
            "alter table items add column a bigserial",
            "alter table items add column a bigint generated by default as identity",
            "alter table items add column a numeric generated always as (price * 2) stored",
            "alter table items add column a int default of_our_own(1)",
        ],
    );
    finds(
        "live_required_column",
        &["alter table items add column a int not null", "alter table items add a int not null default null"],
    );
    allows(&[
        "alter table items add column a int, add column b text not null default ''",
        "alter table items add column a timestamptz not null default now()",
        "alter table items add column a numeric(8, 2) not null default 1.5, add column b date default current_date",
        "alter table items add column a text not null default 'new'::character varying(20)",
        "alter table items add column a numeric generated always as (price * 2) virtual",
    ]);
}

#[test]
fn rows_are_changed_in_batches() {
    finds(
        "live_unbatched",
        &[
            "update items set code = name",
            "update only items i set code = name where code is null",
            "delete from items",
            "delete from items where price > 1",
            "with old as (delete from sales returning id) select count(*) from old",
            "merge into items using sales on items.id = sales.id when matched then delete",
        ],
    );
    allows(&[
        "select * from items for update",
        "insert into sales select id from items",
        "create trigger a before update on items for each row execute function f()",
        "create table notes (id int primary key); update notes set id = 1; delete from notes where id = 1",
    ]);
    let batched = "-- tenantry: batched\nupdate items set code = name where id in (select id from items where code is null limit 9);";
    assert_eq!(findings_of(&[("V3__c.sql", batched), CONF]), []);
    let advised = &findings_of(&[("V2__b.sql", "delete from items;")])[0].message;
    assert!(advised.contains("below a line `-- tenantry: batched`, in a file outside"), "{advised}");
}

#[test]
fn a_lock_that_nobody_passes_is_named() {
    finds(
        "live_lock",
        &[
            "lock table items in share mode",
            "lock items",
            "truncate items, sales",
            "cluster items using items_pkey",
            "refresh materialized view totals",
            "alter table items set unlogged",
        ],
    );
    allows(&["refresh materialized view concurrently totals"]);
    let full = [("V3__c.sql", "vacuum full items;"), CONF];
    assert_eq!(codes(&full), ["live_lock:1"]);
    assert_eq!(findings_of(&[("V3__c.sql", "vacuum (analyze) items;"), CONF]), []);
}

#[test]
fn an_upgrade_keeps_its_own_timeouts() {
    finds(
        "live_timeout",
        &["set lock_timeout = '1h'", "set local statement_timeout to 0", "reset lock_timeout"],
    );
    let call = "select set_config('lock_timeout', '0', true)";
    assert_eq!(codes(&[("V2__b.sql", call)]), ["live_timeout:1"]);
    allows(&["set local work_mem = '64MB'"]);
}

#[test]
fn a_value_of_an_enum_is_used_in_another_transaction_than_it_was_added() {
    let (added, used) = ("alter type mood add value 'bad';", "select 'bad'::mood;");
    assert_eq!(codes(&[("V2__b.sql", added), ("V4__d.sql", used)]), ["enum_value_used:1"]);
    assert_eq!(findings_of(&[("V3__c.sql", added), CONF, ("V4__d.sql", used)]), []);
    allows(&["create type size as enum ('s'); alter type size add value 'm'; select 'm'::size"]);
}

#[test]
fn what_the_application_uses_goes_in_a_contract_only() {
    let drops = [
        "drop table items",
        "drop table if exists sales cascade",
        "drop view cheap",
        "drop function worth(int)",
        "drop type mood",
        "drop materialized view totals",
        "alter table items drop column code, add column a int",
        "alter table items drop if exists code",
        "alter type pair drop attribute a",
    ];
    let renames = [
        "alter table items rename column code to sku",
        "alter table items rename code to sku",
        "alter table items rename to goods",
        "alter view cheap rename to dear",
        "alter type mood rename value 'good' to 'fine'",
    ];
    finds("live_drop", &drops);
    finds("live_rename", &renames);
    let contract = "phase = \"contract\"\nafter = \"1.0\"\n";
    for sql in drops.iter().chain(&renames) {
        let errors = findings_of(&[("V2__b.sql", sql)]);
        assert!(errors.iter().all(|finding| finding.severity == Severity::Error), "{errors:?}");
        let to = blueprint("2.0", contract, &[("V2__b.sql", sql)]);
        assert_eq!(live_findings(&FIRST, &to), [], "{sql}");
    }
    allows(&[
        "alter table items drop constraint dear",
        "alter table items alter weight drop default",
        "alter table items rename constraint a to b",
        "alter index items_code rename to items_codes",
        "drop trigger a on items",
        // Nobody notices what is replaced in one transaction.
        "drop view cheap; create view cheap as select id, name from items",
        "drop function if exists worth(int); create or replace function worth(a bigint) returns int return 1",
        "create table notes (id int primary key); alter table notes rename to remarks; drop table remarks",
    ]);
    let apart = [
        ("V2__b.sql", "drop view cheap;"),
        ("V3__c.sql", "analyze items;"),
        CONF,
        ("V4__d.sql", "create view cheap as select 1 as a;"),
    ];
    assert_eq!(codes(&apart), ["live_drop:1"], "there is a moment without it");
}

#[test]
fn what_the_same_upgrade_made_is_nobodys_yet() {
    allows(&["create table notes (id int, body text); create index notes_body on notes (body); \
         alter table notes add primary key (id), add check (id > 0), alter body set not null, alter id type bigint, \
         add column a uuid default gen_random_uuid(); truncate notes; lock notes; drop table notes"]);
    assert_eq!(
        codes(&[
            ("V2__b.sql", "create table notes (id int primary key);"),
            ("V3__c.sql", "drop table notes;")
        ]),
        [""; 0]
    );
    // It may be the table that the tenant has.
    let same = "create table if not exists items (id int primary key); update items set code = ''";
    assert_eq!(codes(&[("V2__b.sql", same)]), ["live_unbatched:1"]);
}

#[test]
fn only_what_the_upgrade_runs_is_looked_at() {
    let old =
        [("V2__b.sql", "update items set code = '';"), ("R__v.sql", "refresh materialized view totals;")];
    let (from, to) = (blueprint("1.0", "", &old), blueprint("1.1", "", &old));
    assert_eq!(live_findings(&from, &to), []);
    let changed = [old[0], ("R__v.sql", "-- again\nrefresh materialized view totals;")];
    let found = live_findings(&from, &blueprint("1.1", "", &changed));
    assert_eq!((found.len(), found[0].file.as_deref(), found[0].line), (1, Some("R__v.sql"), Some(2)));
}

#[test]
fn a_finding_says_what_waits_and_shows_the_safe_form() {
    let found = findings_of(&[(
        "V2__b.sql",
        "alter table items\n  add column a int,\n  alter column code set not null;",
    )]);
    assert_eq!((found.len(), found[0].line), (1, Some(3)));
    let says = &found[0].message;
    for part in [
        "`alter table items add column a int, alter column code set n",
        "ACCESS EXCLUSIVE",
        "waits",
        "check (code is not null) not valid",
    ] {
        assert!(says.contains(part), "{says}");
    }
}

/// Pieces of statements, between bars.
const PIECES: &str = "alter table |items |add |column |a |int |constraint |check |(|)|, |default |not |null |valid |validate |alter |type |varchar(|9|create |index |on |\
                      drop |rename |to |update |set |where |with |\"|'|;|$$|--|\n|unique |using |table |if not exists |view |.|or ";

fn pieces_of_sql() -> Vec<&'static str> {
    PIECES.split('|').collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_upgrade_gets_findings_that_are_safe_to_print(
        parts in prop::collection::vec(
            prop_oneof![6 => prop::sample::select(pieces_of_sql()).prop_map(str::to_owned), 1 => any::<String>()],
            0..24,
        ),
        is_outside in any::<bool>(),
    ) {
        let sql = parts.concat();
        let mut files = vec![("V3__c.sql", sql.as_str())];
        files.extend(is_outside.then_some(CONF));
        for finding in findings_of(&files) {
            invariants::a_finding_is_safe_and_says_where(&finding, &[own(&files[0])]);
        }
    }
}

#[test]
fn tables_that_get_other_columns_are_named_for_those_who_have_prepared_statements() {
    let next = "alter table items add column z int; alter table only sales drop column if exists id; alter table totals rename \
                column x to y; alter table items alter name set not null;";
    let more =
        "create table d (x int); alter table d add column y int; ALTER TABLE items ALTER code TYPE varchar;";
    let to = blueprint("1.1", "", &[("V2__b.sql", next), ("V3__c.sql", more)]);
    let pending: Vec<_> = to.migrations.iter().skip(1).collect();
    assert_eq!(reshaped_tables(&FIRST, &pending).into_iter().collect::<Vec<_>>(), ["items", "sales"]);
    assert_eq!(reshaped_tables(&FIRST, &pending[1..]).into_iter().collect::<Vec<_>>(), ["items"]);
}
