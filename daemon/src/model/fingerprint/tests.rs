//! What is told of two fingerprints, and how a difference is repaired.

#![allow(clippy::unwrap_used)]

use super::*;

fn object(kind: &str, name: &str, parent: &str, body: &str, clauses: &[&str]) -> Object {
    Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        parent: (!parent.is_empty()).then(|| parent.to_owned()),
        body: body.to_owned(),
        clauses: clauses.iter().map(|clause| (*clause).to_owned()).collect(),
    }
}

const ORDERS: &str = "table $tenant.orders";

fn shop() -> Vec<Object> {
    vec![
        object("schema", "$tenant", "", "create schema $tenant", &["owner to $tenant"]),
        object("table", "$tenant.orders", "", "create table $tenant.orders (…)", &["owner to $tenant"]),
        object("column", "$tenant.orders.id", ORDERS, "bigint", &["not null"]),
        object("column", "$tenant.orders.note", ORDERS, "text", &["default 'x'::text"]),
        object("constraint", "$tenant.orders.orders_pkey", ORDERS, "PRIMARY KEY (id)", &[]),
        object("privileges", ORDERS, ORDERS, "", &["grant select on $tenant.orders to $tenant_app"]),
        object("type", "$tenant.state", "", "create type $tenant.state as enum", &["value 'a'", "value 'c'"]),
    ]
}

/// The differences after a change, each as its change, name and repair.
fn after(change: impl FnOnce(&mut Vec<Object>)) -> Vec<(Change, String, Result<String, String>)> {
    let mut found = shop();
    change(&mut found);
    let told = compare(&Fingerprint::new(shop()), &Fingerprint::new(found));
    told.into_iter().map(|one| (one.change, format!("{} {}", one.kind, one.name), one.repair)).collect()
}

fn one(objects: &mut [Object], name: &str, with: impl FnOnce(&mut Object)) {
    with(objects.iter_mut().find(|object| object.name == name).unwrap());
}

#[test]
fn the_same_objects_are_no_difference_in_whatever_order() {
    assert!(after(|found| found.reverse()).is_empty());
    let mut turned = shop();
    turned.reverse();
    assert_eq!(Fingerprint::new(shop()).digest(), Fingerprint::new(turned).digest());
}

#[test]
fn each_part_of_an_object_is_in_the_digest() {
    let digest = Fingerprint::new(shop()).digest();
    let changes: [fn(&mut Object); 4] = [
        |object| object.body.push('x'),
        |object| object.clauses.push("not null".to_owned()),
        |object| object.name.push('x'),
        |object| object.parent = Some("table $tenant.other".to_owned()),
    ];
    for change in changes {
        let mut objects = shop();
        one(&mut objects, "$tenant.orders.note", change);
        assert_ne!(Fingerprint::new(objects).digest(), digest);
    }
}

#[test]
fn a_missing_table_is_one_difference_and_its_repair_makes_all_of_it() {
    let told = after(|found| found.retain(|object| !object.label().contains("orders")));
    let sql = "create table $tenant.orders (\n    id bigint not null,\n    note text default 'x'::text\n);\n\
               alter table $tenant.orders owner to $tenant;\n\
               alter table $tenant.orders add constraint orders_pkey PRIMARY KEY (id);\n\
               grant select on $tenant.orders to $tenant_app;";
    assert_eq!(told, [(Change::Missing, "table orders".to_owned(), Ok(sql.to_owned()))]);
}

#[test]
fn an_extra_table_is_one_difference() {
    let told = after(|found| {
        let label = "table $tenant.stray";
        found.push(object("table", "$tenant.stray", "", "create table $tenant.stray (…)", &[]));
        found.push(object("column", "$tenant.stray.id", label, "integer", &[]));
        found.push(object("privileges", label, label, "", &[]));
    });
    assert_eq!(told, [(Change::Extra, "table stray".to_owned(), Ok("drop table $tenant.stray;".to_owned()))]);
}

#[test]
fn a_changed_column_is_altered_clause_by_clause() {
    let told = after(|found| {
        one(found, "$tenant.orders.id", |id| *id = object("column", &id.name, ORDERS, "integer", &[]));
        one(found, "$tenant.orders.note", |note| note.clauses = vec!["not null".to_owned()]);
    });
    let repairs: Vec<String> = told.into_iter().map(|(_, _, repair)| repair.unwrap()).collect();
    assert_eq!(
        repairs,
        [
            "alter table $tenant.orders alter column id type bigint;\n\
             alter table $tenant.orders alter column id set not null;",
            "alter table $tenant.orders alter column note drop not null;\n\
             alter table $tenant.orders alter column note set default 'x'::text;",
        ]
    );
}

#[test]
fn a_constraint_that_was_never_validated_is_validated() {
    let told = after(|found| one(found, "$tenant.orders.orders_pkey", |key| key.body += " NOT VALID"));
    let repair = "alter table $tenant.orders validate constraint orders_pkey;".to_owned();
    assert_eq!(told, [(Change::Changed, "constraint orders.orders_pkey".to_owned(), Ok(repair))]);
}

#[test]
fn privileges_are_revoked_before_others_are_granted() {
    let told = after(|found| {
        one(found, ORDERS, |rights| {
            rights.clauses = vec!["grant select on $tenant.orders to public with grant option".to_owned()];
        });
    });
    let repair =
        "revoke select on $tenant.orders from public;\ngrant select on $tenant.orders to $tenant_app;";
    assert_eq!(told, [(Change::Changed, "privileges table orders".to_owned(), Ok(repair.to_owned()))]);
}

#[test]
fn values_of_an_enumeration_can_be_added_and_not_removed() {
    let with = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(|value| format!("value '{value}'")).collect();
        let told = after(|found| one(found, "$tenant.state", |state| state.clauses = values));
        told.into_iter().next().unwrap().2
    };
    assert_eq!(with(&["a"]).unwrap(), "alter type $tenant.state add value 'c' after 'a';");
    assert_eq!(with(&["c"]).unwrap(), "alter type $tenant.state add value 'a' before 'c';");
    assert!(with(&["a", "b", "c"]).unwrap_err().contains("'b' cannot be removed"));
    assert!(with(&["c", "a"]).unwrap_err().contains("order"));
}

#[test]
fn a_missing_schema_is_told_and_not_made_again() {
    let told = after(Vec::clear);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].1.as_str(), told[0].2.is_err()), ("schema $tenant", true));
}
