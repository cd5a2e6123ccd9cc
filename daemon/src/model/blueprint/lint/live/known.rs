//! What is known of a tenant's objects while the statements go by: types, columns without nulls, and what this upgrade made.
//!
//! Invariant: what is not known counts as an object in use. This module must not judge.

use std::collections::{BTreeMap, BTreeSet};

use super::super::tables::{IF_EXISTS_ONLY, created_table, dropped, last_part};
use super::super::words::Words;
use super::columns::{Column, ColumnType, behind_parenthesis, parts, top_level};

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// In a file of the version that the tenant has.
    Earlier,
    /// In a file that the upgrade runs, in its transaction of this number.
    Pending { transaction: usize },
}

/// The objects that share names: tables, views, sequences and indexes are relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ObjectClass {
    Relation,
    Routine,
    Type,
}

type KnownObject = (ObjectClass, String);

#[derive(Debug, Default)]
pub(super) struct Known {
    /// Types by table and column.
    columns: BTreeMap<String, BTreeMap<String, ColumnType>>,
    /// Columns, with their tables, in which no row has a null, as a valid constraint says.
    required: BTreeSet<(String, String)>,
    /// Constraints, with their tables, that are not validated yet.
    unvalidated: BTreeMap<(String, String), Unvalidated>,
    earlier: BTreeSet<KnownObject>,
    made: BTreeSet<KnownObject>,
    /// Labels that an enum got, with the transaction.
    labels: Vec<(String, usize)>,
}

#[derive(Debug)]
struct Unvalidated {
    /// The columns that have no null where it holds.
    requires: Vec<String>,
    transaction: Option<usize>,
}

impl Known {
    /// Whether the object was there before the upgrade, or nothing is known of it.
    pub(super) fn is_live(&self, class: ObjectClass, name: &str) -> bool {
        !self.made.contains(&(class, name.to_owned()))
    }

    pub(super) fn is_live_table(&self, name: &str) -> bool {
        self.is_live(ObjectClass::Relation, name)
    }

    pub(super) fn column(&self, table: &str, column: &str) -> Option<&ColumnType> {
        self.columns.get(table)?.get(column)
    }

    pub(super) fn is_required(&self, table: &str, column: &str) -> bool {
        self.required.contains(&(table.to_owned(), column.to_owned()))
    }

    /// Whether the constraint was added, without validation, by this transaction.
    pub(super) fn is_added_in(&self, table: &str, constraint: &str, transaction: usize) -> bool {
        let key = (table.to_owned(), constraint.to_owned());
        self.unvalidated.get(&key).is_some_and(|one| one.transaction == Some(transaction))
    }

    pub(super) fn is_label_of(&self, text: &str, transaction: usize) -> bool {
        self.labels.iter().any(|(label, added_in)| label == text && *added_in == transaction)
    }

    pub(super) fn follow(&mut self, words: &Words<'_>, belongs: Belongs) {
        if let Some(created) = created(words) {
            let object = (created.class, created.name);
            match belongs {
                Belongs::Earlier => _ = self.earlier.insert(object),
                Belongs::Pending { .. } if created.may_exist && self.earlier.contains(&object) => {}
                Belongs::Pending { .. } => _ = self.made.insert(object),
            }
        }
        if let Some(at) = created_table(words) {
            self.create_table(words, at);
        } else if words.starts_with(&["alter", "table"]) {
            self.alter_table(words, belongs);
        } else if words.starts_with(&["drop", "table"]) {
            for name in dropped(words) {
                self.earlier.remove(&(ObjectClass::Relation, name.clone()));
                self.made.remove(&(ObjectClass::Relation, name));
            }
        } else if let (Some((label, class)), Belongs::Pending { transaction }) = (added_label(words), belongs)
            && self.is_live(ObjectClass::Type, &class)
        {
            self.labels.push((label, transaction));
        }
    }

    fn create_table(&mut self, words: &Words<'_>, at: usize) {
        let (Some(table), after) = last_part(words, at) else { return };
        if !words.is_symbol(after, b'(') {
            return;
        }
        let end = behind_parenthesis(words, after).saturating_sub(1);
        for (begin, end) in parts(words, after + 1, end) {
            if words.is(begin, "constraint|check|foreign|unique|primary|exclude|like|not") {
                let check = if words.is(begin, "constraint") { begin + 2 } else { begin };
                let required = if words.matches(check, &["primary", "key"]) {
                    names_in(words, check + 2)
                } else {
                    not_null_by(words, check)
                };
                self.required.extend(required.into_iter().map(|column| (table.clone(), column)));
            } else {
                self.add_column(words, &table, begin, end);
            }
        }
    }

    fn add_column(&mut self, words: &Words<'_>, table: &str, begin: usize, end: usize) {
        let Some(column) = Column::read(words, begin, end) else { return };
        if column.is_required {
            self.required.insert((table.to_owned(), column.name.clone()));
        }
        self.columns.entry(table.to_owned()).or_default().insert(column.name, column.kind);
    }

    fn alter_table(&mut self, words: &Words<'_>, belongs: Belongs) {
        let (Some(table), after) = last_part(words, words.skip(2, IF_EXISTS_ONLY)) else { return };
        if words.matches(after, &["rename", "to"])
            && let Some(new) = words.name(after + 2)
        {
            self.rename(&table, new);
            return;
        }
        for (begin, end) in parts(words, after, words.len()) {
            match action(words, begin, end) {
                TableAction::AddColumn { at } => self.add_column(words, &table, at, end),
                TableAction::AddConstraint { name, at } => {
                    self.add_constraint(words, &table, name, (at, end), belongs)
                }
                TableAction::Validate { name } => {
                    if let Some(known) = self.unvalidated.remove(&(table.clone(), name)) {
                        let required = known.requires.into_iter().map(|column| (table.clone(), column));
                        self.required.extend(required);
                    }
                }
                TableAction::SetNotNull { column } => _ = self.required.insert((table.clone(), column)),
                TableAction::DropNotNull { column } => _ = self.required.remove(&(table.clone(), column)),
                TableAction::ChangeType { column, at, until } => {
                    let kind = ColumnType::read(words, at, until);
                    self.columns.entry(table.clone()).or_default().insert(column, kind);
                }
                TableAction::DropColumn { .. } | TableAction::Other => {}
            }
        }
    }

    fn add_constraint(
        &mut self,
        words: &Words<'_>,
        table: &str,
        name: Option<String>,
        (at, end): (usize, usize),
        belongs: Belongs,
    ) {
        let requires = not_null_by(words, at);
        if !is_not_valid(words, at, end) {
            self.required.extend(requires.into_iter().map(|column| (table.to_owned(), column)));
            return;
        }
        // The server's own name for it, where it has one column.
        let own = || requires.first().map(|column| format!("{table}_{column}_check"));
        let Some(name) = name.or_else(own) else { return };
        let transaction = match belongs {
            Belongs::Earlier => None,
            Belongs::Pending { transaction } => Some(transaction),
        };
        self.unvalidated.insert((table.to_owned(), name), Unvalidated { requires, transaction });
    }

    fn rename(&mut self, old: &str, new: String) {
        if let Some(columns) = self.columns.remove(old) {
            self.columns.insert(new.clone(), columns);
        }
        for objects in [&mut self.made, &mut self.earlier] {
            if objects.remove(&(ObjectClass::Relation, old.to_owned())) {
                objects.insert((ObjectClass::Relation, new.clone()));
            }
        }
        let required: Vec<_> = self.required.iter().filter(|(table, _)| table == old).cloned().collect();
        self.required.extend(required.into_iter().map(|(_, column)| (new.clone(), column)));
    }
}

/// An object that a statement creates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Created {
    pub(super) class: ObjectClass,
    pub(super) name: String,
    /// `or replace`, or `if not exists`: it may be there already.
    may_exist: bool,
}

pub(super) fn created(words: &Words<'_>) -> Option<Created> {
    if !words.starts_with(&["create"]) {
        return None;
    }
    const KINDS: &[&[&str]] =
        &[&["temp|temporary|local|global|unlogged|materialized|foreign|recursive|unique|constraint"]];
    let begin = words.skip(1, &[&["or", "replace"]]);
    let at = words.skip(begin, KINDS);
    let class = if words.is(at, "table|view|sequence|index") {
        ObjectClass::Relation
    } else if words.is(at, "function|procedure|aggregate") {
        ObjectClass::Routine
    } else if words.is(at, "type|domain") {
        ObjectClass::Type
    } else {
        return None;
    };
    let named = words.skip(at + 1, &[&["concurrently"]]);
    let at = words.skip(named, &[&["if", "not", "exists"]]);
    let name = last_part(words, at).0.filter(|_| !words.is(at, "on"))?;
    Some(Created { class, name, may_exist: begin > 1 || at > named })
}

/// One action of `alter table`.
#[derive(Debug)]
pub(super) enum TableAction {
    /// The definition of the column begins at `at`.
    AddColumn {
        at: usize,
    },
    /// The constraint begins at `at`, behind its name.
    AddConstraint {
        name: Option<String>,
        at: usize,
    },
    Validate {
        name: String,
    },
    SetNotNull {
        column: String,
    },
    DropNotNull {
        column: String,
    },
    /// The new type is `at..until`.
    ChangeType {
        column: String,
        at: usize,
        until: usize,
    },
    DropColumn {
        column: String,
    },
    Other,
}

/// The action in `begin..end`.
pub(super) fn action(words: &Words<'_>, begin: usize, end: usize) -> TableAction {
    if words.is(begin, "add") {
        if words.is(begin + 1, "constraint") {
            return TableAction::AddConstraint { name: words.name(begin + 2), at: begin + 3 };
        }
        if words.is(begin + 1, "check|foreign|unique|primary|exclude|not") {
            return TableAction::AddConstraint { name: None, at: begin + 1 };
        }
        return TableAction::AddColumn {
            at: words.skip(begin + 1, &[&["column"], &["if", "not", "exists"]]),
        };
    }
    if words.matches(begin, &["validate", "constraint"]) {
        return words.name(begin + 2).map_or(TableAction::Other, |name| TableAction::Validate { name });
    }
    if words.is(begin, "drop") && !words.is(begin + 1, "constraint") {
        let at = words.skip(begin + 1, &[&["column"], &["if", "exists"]]);
        return words.name(at).map_or(TableAction::Other, |column| TableAction::DropColumn { column });
    }
    if !words.is(begin, "alter") || words.is(begin + 1, "constraint") {
        return TableAction::Other;
    }
    let at = words.skip(begin + 1, &[&["column"]]);
    let Some(column) = words.name(at) else { return TableAction::Other };
    let what = words.skip(at + 1, &[&["set", "data"]]);
    if words.matches(what, &["set", "not", "null"]) {
        TableAction::SetNotNull { column }
    } else if words.matches(what, &["drop", "not", "null"]) {
        TableAction::DropNotNull { column }
    } else if words.is(what, "type") {
        let until = top_level(words, what + 1, end).into_iter().find(|at| words.is(*at, "collate|using"));
        TableAction::ChangeType { column, at: what + 1, until: until.unwrap_or(end) }
    } else {
        TableAction::Other
    }
}

pub(super) fn is_not_valid(words: &Words<'_>, begin: usize, end: usize) -> bool {
    top_level(words, begin, end).iter().any(|at| words.matches(*at, &["not", "valid"]))
}

/// The columns that cannot be null where `check (a is not null and …)` or `not null a` at `at` holds.
fn not_null_by(words: &Words<'_>, at: usize) -> Vec<String> {
    if words.matches(at, &["not", "null"]) {
        return words.name(at + 2).into_iter().collect();
    }
    if !words.is(at, "check") {
        return Vec::new();
    }
    let end = behind_parenthesis(words, at + 1);
    if (at..end).any(|at| words.is(at, "or|case")) {
        return Vec::new();
    }
    let is_tested = |at: &usize| words.matches(at + 1, &["is", "not", "null"]);
    (at + 1..end).filter(is_tested).filter_map(|at| words.name(at)).collect()
}

/// The names between the parentheses that open at `at`.
fn names_in(words: &Words<'_>, at: usize) -> Vec<String> {
    (at..behind_parenthesis(words, at)).filter_map(|at| words.name(at)).collect()
}

/// The label that a statement adds to an enum, as it is written, and the enum.
pub(super) fn added_label(words: &Words<'_>) -> Option<(String, String)> {
    let label = super::super::added_enum_label(words)?;
    Some((words.text(label).to_owned(), last_part(words, 2).0?))
}
