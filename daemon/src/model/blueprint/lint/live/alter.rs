//! What an `alter table` costs on a table that is in use.
//!
//! Most of its actions take ACCESS EXCLUSIVE, for which reads wait, too. That is harmless for a change of the catalog alone; the
//! lints name those that read or write every row under it. This module must not look beyond the statement, except at what is known.

use super::super::tables::{IF_EXISTS_ONLY, last_part};
use super::super::words::Words;
use super::columns::{Column, ColumnDefault, ColumnType, parts};
use super::known::{Known, TableAction, action, is_not_valid};
use super::{Cost, named};

const CLOSED: &str = "every read and write of the table waits";

/// Where a column's constraint or default begins to matter to rows that are there.
struct Altered<'w> {
    words: &'w Words<'w>,
    known: &'w Known,
    name: String,
    transaction: usize,
}

pub(super) fn costs(words: &Words<'_>, known: &Known, transaction: usize) -> Vec<Cost> {
    if !words.starts_with(&["alter", "table"]) {
        return Vec::new();
    }
    let (Some(name), after) = last_part(words, words.skip(2, IF_EXISTS_ONLY)) else { return Vec::new() };
    if !known.is_live_table(&name) || words.is(after, "rename") {
        return Vec::new();
    }
    let table = Altered { words, known, name, transaction };
    parts(words, after, words.len()).into_iter().flat_map(|(begin, end)| table.action(begin, end)).collect()
}

/// The table that was there before and has other columns after the statement.
pub(super) fn reshaped(words: &Words<'_>, known: &Known) -> Option<String> {
    if !words.starts_with(&["alter", "table"]) {
        return None;
    }
    let (name, after) = last_part(words, words.skip(2, IF_EXISTS_ONLY));
    let name = name.filter(|name| known.is_live_table(name))?;
    let changes_columns = |(begin, end)| {
        matches!(
            action(words, begin, end),
            TableAction::AddColumn { .. } | TableAction::DropColumn { .. } | TableAction::ChangeType { .. }
        )
    };
    let is_renamed = words.is(after, "rename");
    (!is_renamed && parts(words, after, words.len()).into_iter().any(changes_columns)).then_some(name)
}

impl Altered<'_> {
    fn action(&self, begin: usize, end: usize) -> Vec<Cost> {
        match action(self.words, begin, end) {
            TableAction::AddColumn { at } => self.add_column(begin, at, end),
            TableAction::AddConstraint { name, at } => {
                self.add_constraint(begin, name, at, end).into_iter().collect()
            }
            TableAction::Validate { name } => self.validate(begin, &name).into_iter().collect(),
            TableAction::SetNotNull { column } => self.set_not_null(begin, &column).into_iter().collect(),
            TableAction::ChangeType { column, at, until } => {
                self.change_type(begin, &column, (at, until), end).into_iter().collect()
            }
            TableAction::Other => self.rewrite(begin).into_iter().collect(),
            TableAction::DropColumn { .. } | TableAction::DropNotNull { .. } => Vec::new(),
        }
    }

    fn table(&self) -> String {
        named(&self.name)
    }

    fn add_column(&self, begin: usize, at: usize, end: usize) -> Vec<Cost> {
        let Some(column) = Column::read(self.words, at, end) else { return Vec::new() };
        let (table, name) = (self.table(), named(&column.name));
        let mut costs = Vec::new();
        if column.is_filled || column.default == Some(ColumnDefault::PerRow) {
            costs.push(Cost::warning(
                "live_default",
                begin,
                format!(
                    "writes {table} anew, since each row gets a value of its own, with ACCESS EXCLUSIVE for as long as that \
                     takes: {CLOSED}"
                ),
                format!(
                    "alter table {table} add column {name} TYPE; alter table {table} alter column {name} set default VALUE; and \
                     fill the rows that are there in batches"
                ),
            ));
        } else if column.is_required && matches!(column.default, None | Some(ColumnDefault::Null)) {
            costs.push(Cost::warning(
                "live_required_column",
                begin,
                format!(
                    "fails where {table} has a row, and every insert of the application that does not know {name} yet fails \
                     afterwards"
                ),
                format!(
                    "alter table {table} add column {name} TYPE not null default VALUE, which PostgreSQL keeps in its catalog; or \
                     add it without NOT NULL, and require it in a later version"
                ),
            ));
        }
        if column.is_key {
            costs.push(self.key(begin, &name));
        }
        let is_checked = column.has_check
            || (column.has_reference && column.default.is_some_and(|it| it != ColumnDefault::Null));
        if is_checked {
            let rule = if column.has_check { "check (…)" } else { "foreign key (…) references …" };
            costs.push(self.unchecked(begin, rule, None));
        }
        costs
    }

    fn add_constraint(&self, begin: usize, name: Option<String>, at: usize, end: usize) -> Option<Cost> {
        let words = self.words;
        if words.is(at, "unique") || words.matches(at, &["primary", "key"]) {
            let uses_index =
                (at..end).any(|at| words.matches(at, &["using", "index"]) && !words.is(at + 2, "tablespace"));
            return (!uses_index)
                .then(|| self.key(begin, name.as_deref().map_or("NAME".to_owned(), named).as_str()));
        }
        if words.is(at, "exclude") {
            return Some(Cost::warning(
                "live_key",
                begin,
                format!(
                    "builds an index on {} with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes",
                    self.table()
                ),
                "PostgreSQL has no form that others do not wait for: use it where the table is small, or in a quiet hour",
            ));
        }
        if is_not_valid(words, at, end) {
            return None;
        }
        if words.matches(at, &["not", "null"]) {
            let column = words.name(at + 2)?;
            return self.set_not_null(begin, &column);
        }
        if words.is(at, "check") {
            return Some(self.unchecked(begin, "check (…)", name.as_deref()));
        }
        words
            .is(at, "foreign")
            .then(|| self.unchecked(begin, "foreign key (…) references …", name.as_deref()))
    }

    /// A constraint whose rows are looked at while the lock is held.
    fn unchecked(&self, begin: usize, rule: &str, name: Option<&str>) -> Cost {
        let (table, name) = (self.table(), name.map_or("NAME".to_owned(), named));
        let says = if rule.starts_with("check") {
            format!("reads all of {table} with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes")
        } else {
            format!(
                "compares all of {table} with the table that it refers to, with SHARE ROW EXCLUSIVE on both: every write of either \
                 waits, for as long as that takes"
            )
        };
        let safe = format!(
            "alter table {table} add constraint {name} {rule} not valid; and in a file outside the transaction alter table \
             {table} validate constraint {name}"
        );
        Cost::warning("live_constraint", begin, says, safe)
    }

    fn key(&self, begin: usize, name: &str) -> Cost {
        let table = self.table();
        Cost::warning(
            "live_key",
            begin,
            format!("builds an index on {table} with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes"),
            format!(
                "create unique index concurrently {name} on {table} (…), in a file outside the transaction; and behind it alter \
                 table {table} add constraint {name} unique using index {name}"
            ),
        )
    }

    fn validate(&self, begin: usize, constraint: &str) -> Option<Cost> {
        self.known.is_added_in(&self.name, constraint, self.transaction).then(|| {
            let (table, name) = (self.table(), named(constraint));
            Cost::warning(
                "live_validation",
                begin,
                format!(
                    "reads all of {table} while the transaction that added {name} still holds its lock: writes of the table wait, \
                     and with a check reads, too, as if there had been no NOT VALID"
                ),
                format!("alter table {table} validate constraint {name}, in a file outside the transaction"),
            )
        })
    }

    fn set_not_null(&self, begin: usize, column: &str) -> Option<Cost> {
        if self.known.is_required(&self.name, column) {
            return None;
        }
        let (table, column) = (self.table(), named(column));
        Some(Cost::warning(
            "live_not_null",
            begin,
            format!("reads all of {table} with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes"),
            format!(
                "alter table {table} add constraint {column}_required check ({column} is not null) not valid; in a file outside the \
                 transaction alter table {table} validate constraint {column}_required; and behind it this statement, which then reads nothing"
            ),
        ))
    }

    fn change_type(
        &self,
        begin: usize,
        column: &str,
        (at, until): (usize, usize),
        end: usize,
    ) -> Option<Cost> {
        let new = ColumnType::read(self.words, at, until);
        let is_converted = (until..end).any(|at| self.words.is(at, "using"));
        let old = self.known.column(&self.name, column);
        if !is_converted && old.is_some_and(|old| old.becomes_without_rewrite(&new)) {
            return None;
        }
        let (table, column) = (self.table(), named(column));
        Some(Cost::warning(
            "live_type",
            begin,
            format!(
                "writes {table} and its indexes anew with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes; prepared queries \
                 of the application fail once"
            ),
            format!(
                "alter table {table} add column {column}_new TYPE; write both from the application, fill it in batches, read from \
                 it, and drop {column} in a version with phase = \"contract\""
            ),
        ))
    }

    /// `set logged`, `set unlogged`, `set tablespace` and `set access method`.
    fn rewrite(&self, begin: usize) -> Option<Cost> {
        self.words.matches(begin, &["set", "logged|unlogged|tablespace|access"]).then(|| {
            let table = self.table();
            Cost::warning(
                "live_lock",
                begin,
                format!("writes {table} anew with ACCESS EXCLUSIVE: {CLOSED}, for as long as that takes"),
                "leave it out of an upgrade, and do it by hand in a quiet hour",
            )
        })
    }
}
