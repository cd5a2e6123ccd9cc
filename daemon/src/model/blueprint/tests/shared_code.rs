//! Lints for code that would run with the rights of the shared tables' owner: what each finds, and what is allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tenantry_protocol::blueprint::Tenancy;

use super::super::{Linter, Marking};
use crate::model::blueprint::findings::Findings;
use crate::model::blueprint::split::split;

/// The errors of one file, as `code:line`.
fn check(sql: &str, expect: &[&str]) {
    let mut linter = Linter::of(Tenancy::Shared);
    let mut findings = Findings::default();
    for piece in split(sql).unwrap() {
        linter.look_at("V1__x.sql", Marking::Inside("so"), &piece, &mut findings);
    }
    linter.finish(&mut findings);
    let found: Vec<String> =
        findings.into_sorted().into_iter().map(|f| format!("{}:{}", f.code, f.line.unwrap())).collect();
    assert_eq!(found, expect, "{sql}");
}

const CHILD: &str = "create table child (tenant_id uuid not null, id uuid, p uuid, primary key (tenant_id, id), \
                     constraint child_p foreign key (tenant_id, p) references parent (tenant_id, id)";

#[test]
fn a_trigger_that_a_foreign_key_fires_is_found_whatever_comes_first() {
    let trigger = "create trigger gone before delete on child for each row execute function f()";
    check(&format!("{CHILD} on delete cascade);\n{trigger}"), &["trigger_in_action:2"]);
    check(&format!("{trigger};\n{CHILD} on delete cascade)"), &["trigger_in_action:1"]);
    check(&format!("{CHILD});\n{trigger}"), &[]);
    check(&format!("{CHILD} on delete restrict on update no action);\n{trigger}"), &[]);
    check(
        &format!(
            "{CHILD});\n{trigger}; alter table child add foreign key (tenant_id, p) references parent on delete cascade"
        ),
        &["trigger_in_action:2"],
    );
}

#[test]
fn after_the_action_is_no_way_out_and_another_event_is() {
    let action = format!("{CHILD} on delete cascade)");
    check(
        &format!(
            "{action};\ncreate constraint trigger t after delete on child deferrable for each row execute function f()"
        ),
        &["trigger_in_action:2"],
    );
    check(
        &format!(
            "{action};\ncreate trigger t before update or insert on child for each row execute function f()"
        ),
        &[],
    );
    let sets = format!("{CHILD} on delete set null (p))");
    check(
        &format!(
            "{sets};\ncreate or replace trigger t after update of p on child for each row execute function f()"
        ),
        &["trigger_in_action:2"],
    );
    check(
        &format!("{sets};\ncreate trigger t before delete on child for each row execute function f()"),
        &[],
    );
}

#[test]
fn what_runs_no_statement_may_stand_in_an_action() {
    let sets = format!("{CHILD} on delete set null (p))");
    let trigger = |function: &str| {
        format!("create trigger t before insert or update on child for each row execute function {function}")
    };
    let words = "tsvector_update_trigger(words, 'pg_catalog.english', note)";
    check(&format!("{sets};\n{}", trigger(words)), &[]);
    check(&format!("{sets};\n{}", trigger("pg_catalog.suppress_redundant_updates_trigger()")), &[]);
    // A function of that name that is not PostgreSQL's.
    let own =
        format!("create function tsvector_update_trigger() returns trigger language sql as '';\n{sets}");
    check(&format!("{own};\n{}", trigger(words)), &["trigger_in_action:3"]);
    check(
        &format!("{sets};\n{}", trigger("tenantry_ext.tsvector_update_trigger()")),
        &["trigger_in_action:2", "foreign_schema:2"],
    );
    check(&format!("{sets};\n{}", trigger("check_foreign_key('p', 'x', 'id')")), &["trigger_in_action:2"]);
}

#[test]
fn what_was_dropped_again_is_no_finding() {
    let trigger = "create trigger gone before delete on child for each row execute function f()";
    check(&format!("{CHILD} on delete cascade);\n{trigger}; drop trigger if exists gone on child"), &[]);
    check(&format!("{CHILD} on delete cascade);\n{trigger}; alter table child drop constraint child_p"), &[]);
    check(&format!("{CHILD} on delete cascade);\n{trigger}; drop table child"), &[]);
}

#[test]
fn functions_of_the_blueprint_stand_in_no_stored_expression() {
    let function =
        "create or replace function good(t text) returns boolean language sql immutable return true";
    let found = |sql: &str| check(&format!("{function};\n{sql}"), &["shared_expression:2"]);
    found("create index i on a (tenant_id, (good(x)))");
    found("create index i on a (tenant_id) where good(x)");
    found("create statistics s on good(x), y from a");
    found("alter table a add constraint c check (x > 1 and good(x))");
    found("alter table a add g boolean generated always as (good(x)) stored");
    found("create domain d as text check (good(value))");
    let fine = |sql: &str| check(&format!("{function};\n{sql}"), &[]);
    fine("alter table a alter x set default good('x')");
    fine("create view v with (security_invoker = true) as select good(x) from a");
    fine("create index i on a (tenant_id, lower(x)) where y > 0");
    fine("alter table a add constraint c check (length(x) > 1)");
}

#[test]
fn kinds_that_call_functions_by_themselves_are_named() {
    check("create operator === (leftarg = text, rightarg = text, function = f)", &["shared_kind:1"]);
    check("create cast (mood as text) with function f", &["shared_kind:1"]);
}
