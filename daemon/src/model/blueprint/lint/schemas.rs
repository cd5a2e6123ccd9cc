//! Which schemas a version's files make, fill and name, to tell what the manifest could say of them.

use std::collections::BTreeSet;

use super::qualified::foreign_schemas;
use super::words::Words;
use crate::model::blueprint::Blueprint;
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
        if let Some(schema) = home(words).filter(|schema| !is_the_servers(schema)) {
            self.own.insert(schema);
        }
    }
}

/// `create [or replace] [kind of] table|type|view|function … schema.name`
fn home(words: &Words<'_>) -> Option<String> {
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
    (parts.len() == 2).then(|| parts.swap_remove(0))
}

fn is_the_servers(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}
