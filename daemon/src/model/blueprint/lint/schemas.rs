//! Which schemas a version's files make, fill and name, to tell what the manifest could say of them.

use std::collections::{BTreeMap, BTreeSet};

use super::qualified::foreign_schemas;
use super::words::Words;
use crate::model::blueprint::Blueprint;
use crate::model::blueprint::findings::shown;
use crate::model::blueprint::split::split;

/// Schemas by what the statements do with them; `public` is told of as the others.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SchemasNamed {
    /// Made, or with objects that the files make in them.
    pub own: BTreeSet<String>,
    /// Named at all, where the grammar expects an object.
    pub named: BTreeSet<String>,
}

impl SchemasNamed {
    pub fn of(version: &Blueprint) -> Self {
        let mut schemas = Self::default();
        for statement in version.migrations.iter().flat_map(|file| &file.statements) {
            for piece in split(&statement.text).unwrap_or_default() {
                schemas.add(&Words::of(&piece));
            }
        }
        schemas
    }

    fn add(&mut self, words: &Words<'_>) {
        if words.starts_with(&["create", "schema"]) {
            self.own.extend(words.name(words.skip(2, &[&["if", "not", "exists"]])));
        }
        self.named.extend(foreign_schemas(words).into_iter().map(|(_, schema)| schema));
        // As in a call, which the grammar does not tell from a column.
        let is_extensions = |at: usize| words.is(at, "extensions") && words.is_symbol(at + 1, b'.');
        if (0..words.len()).any(is_extensions) {
            self.named.insert("extensions".to_owned());
        }
        if let Some((schema, _)) = home(words).filter(|(schema, _)| !is_the_servers(schema)) {
            self.own.insert(schema);
        }
    }
}

/// `create [or replace] [kind of] table|type|view|function … schema.name`
fn home(words: &Words<'_>) -> Option<(String, String)> {
    const KINDS: &str = "table|view|type|domain|sequence|function|procedure|aggregate";
    const NOISE: &[&[&str]] =
        &[&["or", "replace"], &["unlogged"], &["materialized"], &["recursive"], &["foreign"]];
    if !words.starts_with(&["create"]) {
        return None;
    }
    let kind = words.skip(1, NOISE);
    if !words.is(kind, KINDS) {
        return None;
    }
    let (mut parts, _) = words.dotted_name(words.skip(kind + 1, &[&["if", "not", "exists"]]));
    match (parts.pop(), parts.pop()) {
        (Some(name), Some(schema)) if parts.is_empty() => Some((schema, name)),
        _ => None,
    }
}

/// Types of the server's own whose names applications use, too. They are found before those of any schema.
const SERVERS_TYPES: [&str; 18] = [
    "bit",
    "box",
    "circle",
    "date",
    "interval",
    "json",
    "line",
    "money",
    "name",
    "path",
    "point",
    "polygon",
    "text",
    "time",
    "timestamp",
    "uuid",
    "xml",
    "void",
];

/// The objects that files make in the schemas whose place the tenant's takes: without their schemas, their names must stay different.
#[derive(Debug, Default)]
pub(super) struct Homes(BTreeMap<String, String>);

impl Homes {
    /// What becomes ambiguous by the statement, as a sentence.
    pub(super) fn look_at(&mut self, words: &Words<'_>, schemas: &[String]) -> Option<String> {
        let (schema, name) = home(words).filter(|(schema, _)| schemas.contains(schema))?;
        let other = self.0.entry(name.clone()).or_insert_with(|| schema.clone());
        let shown = shown(&name);
        if *other != schema {
            return Some(format!(
                "{shown} is made in {other} and in {schema}, and a tenant has one schema for both: give one of them another name"
            ));
        }
        if schemas.contains(&name) {
            return Some(format!(
                "{shown} has the name of its schema, so that {shown}.column could not be told from it: rename one of them"
            ));
        }
        let is_type = words.is(1, "type|domain") && SERVERS_TYPES.contains(&name.as_str());
        is_type.then(|| {
            format!("without its schema, {shown} is PostgreSQL's own type of that name: give it another name")
        })
    }
}

fn is_the_servers(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}
