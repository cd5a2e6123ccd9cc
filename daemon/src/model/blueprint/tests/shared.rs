//! Lints for tables that tenants share: what each finds, and what is allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tenantry_protocol::blueprint::Tenancy;

use super::super::{Linter, Marking};
use crate::model::blueprint::findings::Findings;
use crate::model::blueprint::split::split;

/// The findings of one file, as `code:line`.
fn lint(sql: &str, marking: Marking) -> Vec<String> {
    let mut linter = Linter::of(Tenancy::Shared);
    let mut findings = Findings::default();
    for piece in split(sql).unwrap() {
        linter.look_at("V1__x.sql", marking, &piece, &mut findings);
    }
    linter.finish(&mut findings);
    findings.into_sorted().into_iter().map(|f| format!("{}:{}", f.code, f.line.unwrap())).collect()
}

fn check(sql: &str, expect: &[&str]) {
    assert_eq!(lint(sql, Marking::Inside("so")), expect, "{sql}");
}

const KEYED: &str = "tenant_id uuid not null, id uuid, primary key (tenant_id, id)";

#[test]
fn a_table_is_somebodys() {
    check(&format!("create table a ({KEYED})"), &[]);
    check("create table a (tenant_id uuid, id uuid, constraint k primary key (tenant_id, id))", &[]);
    check("create table a (tenant_id uuid primary key, n int)", &[]);
    check("create table a (id uuid primary key)", &["key_without_tenant:1", "no_tenant_id:1"]);
    check(
        "select 1;\ncreate table a (tenant_id text not null, primary key (tenant_id))",
        &["no_tenant_id:2"],
    );
    check("create table a (tenant_id uuid, x int not null)", &["no_tenant_id:1", "no_primary_key:1"]);
    check("create table a as select 1", &["no_tenant_id:1", "no_primary_key:1"]);
    // The new table inherits the columns of the other.
    check("create table b (x int) inherits (a)", &["no_primary_key:1"]);
    check("create table a as select 1; drop table a", &[]);
    check(
        "create table a as select 1; alter table a rename to b; alter table b add tenant_id uuid not null; \
         alter table b add primary key (tenant_id)",
        &[],
    );
    check(&format!("create table a ({KEYED}); create table b partition of a default"), &[]);
}

#[test]
fn keys_begin_with_the_tenant() {
    check(&format!("create table a ({KEYED}, n text,\n unique (n))"), &["key_without_tenant:2"]);
    check(&format!("create table a ({KEYED}, n text\n unique)"), &["key_without_tenant:2"]);
    check(
        &format!("create table a ({KEYED}, n text, unique nulls not distinct (n))"),
        &["key_without_tenant:1"],
    );
    check(&format!("create table a ({KEYED}, n text, unique nulls not distinct (tenant_id, n))"), &[]);
    check("alter table a add constraint k unique (x)", &["key_without_tenant:1"]);
    check("alter table a add constraint k unique using index k", &[]);
    check("create unique index i on a (lower(x))", &["key_without_tenant:1"]);
    check("create unique index i on a using btree (tenant_id, lower(x)) where y > 0", &[]);
    check("create unique index i on a (lower(tenant_id::text))", &["key_without_tenant:1"]);
}

#[test]
fn references_stay_within_the_tenant() {
    let table = |reference: &str| format!("create table a ({KEYED}, b_id uuid{reference})");
    check(&table(" references b"), &["reference_without_tenant:1"]);
    check(&table(",\nforeign key (b_id) references b (id)"), &["reference_without_tenant:2"]);
    check(&table(", foreign key (tenant_id, b_id) references b (tenant_id, id)"), &[]);
    check(&table(", foreign key (tenant_id, b_id) references b"), &[]);
    check(
        &table(", foreign key (tenant_id, b_id) references b (id, tenant_id)"),
        &["reference_without_tenant:1"],
    );
    let deleting = |what: &str| {
        table(&format!(", foreign key (tenant_id, b_id) references b (tenant_id, id) on delete {what}"))
    };
    check(&deleting("cascade"), &[]);
    check(&deleting("set null (b_id)"), &[]);
    check(&deleting("set null"), &["reference_sets_tenant:1"]);
    check(&deleting("set default (tenant_id)"), &["reference_sets_tenant:1"]);
}

#[test]
fn nothing_reads_with_other_rights_than_the_tenants() {
    check("create view v as select 1", &["view_of_owner:1"]);
    check("create or replace view v with (security_invoker = true) as select 1", &[]);
    check("create materialized view v as select 1", &["shared_materialized_view:1"]);
    check("create policy p on a using (true)", &["shared_policy:1"]);
    check("alter table a disable row level security", &["shared_policy:1"]);
    check("create rule r as on insert to a do nothing", &["shared_rule:1"]);
    check("create foreign table f (x int) server s", &["shared_foreign_table:1"]);
    check(
        "create function f() returns int language sql\n security definer set search_path from current as 'select 1'",
        &["shared_security_definer:2"],
    );
    check("grant truncate on a to current_user", &["shared_grant:1"]);
    check("grant all on a to current_user", &["shared_grant:1"]);
}

#[test]
fn what_only_costs_or_hints_is_a_warning() {
    check("create index i on a (x, tenant_id)", &["index_without_tenant:1"]);
    check("create index i on a (tenant_id, x)", &[]);
    check(
        "create table a (tenant_id uuid not null,\n id bigint generated always as identity, primary key (tenant_id, id))",
        &["shared_sequence:2"],
    );
    check("create sequence s", &["shared_sequence:1"]);
}

#[test]
fn a_file_outside_the_transaction_is_told_of_once() {
    let found = lint("vacuum a; vacuum b", Marking::Outside);
    assert_eq!(found, ["outside_shared:1"]);
}

#[test]
fn tenants_with_tables_of_their_own_hear_nothing_of_it() {
    let mut linter = Linter::of(Tenancy::Schema);
    let mut findings = Findings::default();
    for piece in split("create table a (id int primary key); create view v as select 1").unwrap() {
        linter.look_at("V1__x.sql", Marking::Inside("so"), &piece, &mut findings);
    }
    linter.finish(&mut findings);
    assert_eq!(findings.into_sorted(), []);
}
