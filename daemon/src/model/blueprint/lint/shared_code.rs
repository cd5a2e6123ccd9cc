//! Reports which code of a blueprint would run with the rights of the shared tables' owner, as far as the text shows it:
//! triggers that a foreign key's action fires, and functions in checks, indexes, statistics and generated columns.
//!
//! PostgreSQL runs these as the owner, bypassing row-level security. A `do` block can hide them from this lint; the rules
//! that are checked when a pool is built refuse the same.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::findings::{FileLine, Findings, shown};
use super::tables;
use super::words::Words;

/// Follows functions, foreign keys and triggers through all files.
#[derive(Debug, Default)]
pub(super) struct SharedCode {
    functions: BTreeSet<String>,
    actions: Vec<ReferentialAction>,
    triggers: Vec<Trigger>,
}

/// A foreign key with an action that changes rows of its table.
#[derive(Debug)]
struct ReferentialAction {
    table: String,
    constraint: Option<String>,
    deletes: bool,
    updates: bool,
}

#[derive(Debug)]
struct Trigger {
    name: String,
    table: String,
    on_delete: bool,
    on_update: bool,
    /// The parts of its name: `schema.name`, or the name alone.
    function: Vec<String>,
    file: String,
    line: u32,
}

/// PostgreSQL's own trigger functions that run no statement, so an action may fire them.
const HARMLESS: &[&str] =
    &["suppress_redundant_updates_trigger", "tsvector_update_trigger", "tsvector_update_trigger_column"];

impl ReferentialAction {
    fn fires(&self, trigger: &Trigger) -> bool {
        self.table == trigger.table
            && (self.deletes && trigger.on_delete || self.updates && trigger.on_update)
    }
}

impl SharedCode {
    pub(super) fn look_at(&mut self, file: &str, words: &Words<'_>, findings: &mut Findings) {
        if let Some(at) = kind_that_calls(words) {
            let message = "tenants cannot share an operator, a cast or a conversion: PostgreSQL could run its function with the \
                           rights of the tables' owner; use a function";
            findings.error("shared_kind", FileLine { file, line: words.line(at) }, message);
        }
        for within in stored_expressions(words) {
            let Some((at, name)) = self.called(words, within) else { continue };
            let message = format!(
                "PostgreSQL would run the function {} here with the rights of the tables' owner, who is no tenant: fill a column \
                 in a trigger before insert or update, or check there",
                shown(&name)
            );
            findings.error("shared_expression", FileLine { file, line: words.line(at) }, message);
        }
        self.follow(file, words);
    }

    pub(super) fn finish(self, findings: &mut Findings) {
        for trigger in &self.triggers {
            let is_fired = self.actions.iter().any(|action| action.fires(trigger));
            if !is_fired || self.is_harmless(trigger) {
                continue;
            }
            let message = format!(
                "the trigger {} would run inside the action of a foreign key (on delete cascade, or another that changes rows) of \
                 the table {}, with the rights of the tables' owner and past every policy, and so would one after it from \
                 PostgreSQL 18 on: leave the action out of the foreign key, and change or delete the rows in the application or \
                 in a trigger before delete of the table that it refers to",
                shown(&trigger.name),
                shown(&trigger.table)
            );
            let place = FileLine { file: &trigger.file, line: trigger.line };
            findings.error("trigger_in_action", place, message);
        }
    }

    fn is_harmless(&self, trigger: &Trigger) -> bool {
        match trigger.function.as_slice() {
            [name] => HARMLESS.contains(&name.as_str()) && !self.functions.contains(name),
            [schema, name] => schema == "pg_catalog" && HARMLESS.contains(&name.as_str()),
            _ => false,
        }
    }

    /// A function of the blueprint that is called in this range, and its position.
    fn called(&self, words: &Words<'_>, mut within: Range<usize>) -> Option<(usize, String)> {
        within.find_map(|at| {
            let name = words.name(at).filter(|_| words.is_symbol(at + 1, b'('))?;
            self.functions.contains(&name).then_some((at, name))
        })
    }

    fn follow(&mut self, file: &str, words: &Words<'_>) {
        if let Some(name) = created_function(words) {
            self.functions.insert(name);
        } else if let Some(trigger) = created_trigger(file, words) {
            self.triggers.push(trigger);
        } else if words.starts_with(&["drop", "trigger"]) {
            let (name, on) = tables::last_part(words, words.skip(2, tables::IF_EXISTS_ONLY));
            let (table, _) = tables::last_part(words, on + 1);
            self.triggers.retain(|t| Some(&t.name) != name.as_ref() || Some(&t.table) != table.as_ref());
        } else if words.starts_with(&["drop", "table"]) {
            let gone = tables::dropped(words);
            self.triggers.retain(|trigger| !gone.contains(&trigger.table));
            self.actions.retain(|action| !gone.contains(&action.table));
        } else if let Some((table, _)) = table(words) {
            if let Some(at) = words.find(&["drop", "constraint"]) {
                let (name, _) = tables::last_part(words, words.skip(at + 2, tables::IF_EXISTS_ONLY));
                self.actions.retain(|a| a.table != table || a.constraint.is_none() || a.constraint != name);
            }
            self.actions.extend(actions(words, &table));
        }
    }
}

/// The table that the statement creates or alters, and the position after its name.
fn table(words: &Words<'_>) -> Option<(String, usize)> {
    let at = if words.starts_with(&["alter", "table"]) {
        words.skip(2, tables::IF_EXISTS_ONLY)
    } else {
        tables::created_table(words)?
    };
    let (name, after) = tables::last_part(words, at);
    Some((name?, after))
}

/// The actions of a table's foreign keys. Each clause is reported by itself: it does not matter which key it belongs to.
fn actions(words: &Words<'_>, table: &str) -> Vec<ReferentialAction> {
    let clause = |at: usize| {
        let acts = words.matches(at, &["on", "delete|update", "cascade"])
            || words.matches(at, &["on", "delete|update", "set", "null|default"]);
        acts.then(|| ReferentialAction {
            table: table.to_owned(),
            constraint: name_before(words, at),
            deletes: words.matches(at + 1, &["delete", "cascade"]),
            updates: !words.matches(at + 1, &["delete", "cascade"]),
        })
    };
    (0..words.len()).filter_map(clause).collect()
}

/// `constraint NAME foreign key … on delete …`
fn name_before(words: &Words<'_>, at: usize) -> Option<String> {
    let constraint = (0..at).rev().find(|before| words.is(*before, "constraint"))?;
    words.name(constraint + 1)
}

fn created_function(words: &Words<'_>) -> Option<String> {
    let at = words.skip(1, &[&["or", "replace"]]);
    (words.is(0, "create") && words.is(at, "function|procedure"))
        .then(|| tables::last_part(words, at + 1).0)?
}

/// `create [or replace] [constraint] trigger NAME … on TABLE …`
fn created_trigger(file: &str, words: &Words<'_>) -> Option<Trigger> {
    let at = words.skip(1, &[&["or", "replace"], &["constraint"]]);
    if !(words.is(0, "create") && words.is(at, "trigger")) {
        return None;
    }
    let on = (at..words.len()).find(|at| words.is(*at, "on"))?;
    let calls = |at: &usize| words.matches(*at, &["execute", "function|procedure"]);
    let function = (on..words.len()).rev().find(calls).map(|at| words.dotted_name(at + 2).0);
    let event = |name: &str| (at..on).any(|at| words.is(at, name));
    Some(Trigger {
        name: words.name(at + 1)?,
        table: tables::last_part(words, on + 1).0?,
        on_delete: event("delete"),
        on_update: event("update"),
        function: function.unwrap_or_default(),
        file: file.to_owned(),
        line: words.line(0),
    })
}

/// `create operator`, `create cast`, `create [default] conversion`, and operator classes and families.
fn kind_that_calls(words: &Words<'_>) -> Option<usize> {
    let is_such = words.starts_with(&["create", "operator|cast|conversion"])
        || words.starts_with(&["create", "default", "conversion"]);
    is_such.then_some(0)
}

/// The positions of expressions that PostgreSQL evaluates on its own, or inside a foreign key's action.
fn stored_expressions(words: &Words<'_>) -> Vec<Range<usize>> {
    let is_index =
        words.starts_with(&["create", "index"]) || words.starts_with(&["create", "unique", "index"]);
    if is_index || words.starts_with(&["create", "statistics"]) {
        return words.find(&["on"]).map(|on| on + 1..words.len()).into_iter().collect();
    }
    let is_domain = words.starts_with(&["create|alter", "domain"]);
    if !is_domain && table(words).is_none() {
        return Vec::new();
    }
    let begins = |at: &usize| {
        words.is(*at, "check")
            || words.matches(*at, &["always", "as"])
            || words.matches(*at, &["partition", "by"])
    };
    let brackets = |at: usize| {
        let open = (at..words.len()).find(|at| words.is_symbol(*at, b'('))?;
        Some(open..end_of(words, open))
    };
    (0..words.len()).filter(begins).filter_map(brackets).collect()
}

/// The position of the bracket that closes the one at `open`.
fn end_of(words: &Words<'_>, open: usize) -> usize {
    let mut depth = 0_usize;
    for at in open..words.len() {
        if words.is_symbol(at, b'(') {
            depth += 1;
        } else if words.is_symbol(at, b')') {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    words.len()
}

#[cfg(test)]
#[path = "../tests/shared_code.rs"]
mod tests;
