//! Follows the tables of a blueprint through all its files, to find those that have no primary key at the end.
//!
//! Only the text is read, so a table that a `do` block creates is not seen. This module must not report before the last
//! file.

use std::collections::BTreeMap;

use super::words::Words;

/// A table and where it was created.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: u32,
}

#[derive(Debug, Default)]
pub(super) struct Tables {
    without_key: BTreeMap<String, Table>,
    created: u32,
}

const IF_NOT_EXISTS: &[&[&str]] = &[&["if", "not", "exists"]];
pub(super) const IF_EXISTS_ONLY: &[&[&str]] = &[&["if", "exists"], &["only"]];

impl Tables {
    pub(super) fn look_at(&mut self, file: &str, words: &Words<'_>) {
        if let Some(at) = created_table(words) {
            self.create(file, words, at);
        } else if words.starts_with(&["alter", "table"]) {
            self.alter(words);
        } else if words.starts_with(&["drop", "table"]) {
            for name in dropped(words) {
                self.without_key.remove(&name);
            }
        }
    }

    pub(super) fn created(&self) -> u32 {
        self.created
    }

    pub(super) fn without_primary_key(self) -> impl Iterator<Item = Table> {
        self.without_key.into_values()
    }

    fn create(&mut self, file: &str, words: &Words<'_>, at: usize) {
        let (Some(name), _) = last_part(words, at) else { return };
        self.created += 1;
        let has_key = words.find(&["primary", "key"]).is_some()
            || words.find(&["partition", "of"]).is_some()
            || words.find(&["including", "all|indexes"]).is_some();
        if !has_key {
            let table = Table { name: name.clone(), file: file.to_owned(), line: words.line(0) };
            self.without_key.insert(name, table);
        }
    }

    fn alter(&mut self, words: &Words<'_>) {
        let (Some(name), after) = last_part(words, words.skip(2, IF_EXISTS_ONLY)) else { return };
        if words.find(&["primary", "key"]).is_some() {
            self.without_key.remove(&name);
        } else if words.matches(after, &["rename", "to"])
            && let (Some(new_name), Some(table)) = (words.name(after + 2), self.without_key.remove(&name))
        {
            self.without_key.insert(new_name.clone(), Table { name: new_name, ..table });
        }
    }
}

/// The position of the name in `create [unlogged] table [if not exists] name`; temporary tables do not count.
pub(super) fn created_table(words: &Words<'_>) -> Option<usize> {
    let table = if words.starts_with(&["create", "unlogged", "table"]) {
        2
    } else if words.starts_with(&["create", "table"]) {
        1
    } else {
        return None;
    };
    Some(words.skip(table + 1, IF_NOT_EXISTS))
}

pub(super) fn last_part(words: &Words<'_>, at: usize) -> (Option<String>, usize) {
    let (mut parts, after) = words.dotted_name(at);
    (parts.pop(), after)
}

/// The names in `drop table [if exists] a, b`.
pub(super) fn dropped(words: &Words<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = words.skip(2, IF_EXISTS_ONLY);
    while let (Some(name), after) = last_part(words, at) {
        names.push(name);
        if !words.is_symbol(after, b',') {
            break;
        }
        at = after + 1;
    }
    names
}
