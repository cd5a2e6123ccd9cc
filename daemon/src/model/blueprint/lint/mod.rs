//! Lints: report what in a migration would fail, or would weaken a tenant's isolation, before anything runs.
//!
//! They look at tokens, so they do not mistake text in strings and comments for SQL. For the same reason they do not see
//! into function bodies and `do` blocks, and can be evaded there. They are advice: the real protection is the runtime,
//! which never runs a migration with rights that matter. No protection may be left out because a lint refuses the same
//! thing.

mod batched;
mod catalog;
mod declarative;
mod extensions;
mod live;
mod outside;
mod plain;
mod qualified;
mod rules;
mod schemas;
mod shared;
mod shared_code;
mod tables;
mod temporary;
pub(super) mod words;

use std::collections::{BTreeMap, HashSet};

use tenantry_protocol::blueprint::Tenancy;

use super::findings::{FileLine, Findings, shown};
use super::split::{Piece, Statement, split};
use rules::{RULES, Weight};
use shared::Shared;
use shared_code::SharedCode;
use tables::Tables;
use words::Words;

pub use extensions::extensions_used;
pub use live::{live_findings, reshaped_tables};
pub use outside::OutsideWork;
pub use schemas::SchemasNamed;
pub use temporary::mentions_temporary;

/// A statement of several megabytes must not take minutes: the cost of finding a line grows with the statement's length.
const MOST_IN_A_STATEMENT: usize = 20;

/// How a file runs, as far as it matters for judging its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marking {
    /// In a transaction; the text says how the file's tool would take it out.
    Inside(&'static str),
    /// Each statement by itself.
    Outside,
}

/// Looks at the statements of a blueprint one by one, in the order in which they run.
#[derive(Debug, Default)]
pub(super) struct Linter {
    tables: Tables,
    /// Only for tables that tenants share.
    shared: Option<Shared>,
    shared_code: Option<SharedCode>,
    /// Quoted labels that were added to an enum in this transaction; the enum may be older than the transaction.
    enum_labels: Vec<String>,
    /// Where each of them is used first.
    enum_uses: BTreeMap<String, (String, u32)>,
    is_behind_outside: bool,
    /// One line of the manifest answers all names that are qualified with `public`, so one is told.
    has_told_of_public: bool,
    homes: schemas::Homes,
    /// Each tenant has a database, in which it is alone.
    is_alone: bool,
    /// The number of tables is part of a blueprint, whether its statements are judged or not.
    only_counts: bool,
}

impl Linter {
    pub(super) fn of(tenancy: Tenancy) -> Self {
        let is_shared = tenancy == Tenancy::Shared;
        Self {
            shared: is_shared.then(Shared::default),
            shared_code: is_shared.then(SharedCode::default),
            is_alone: tenancy == Tenancy::Database,
            ..Self::default()
        }
    }

    /// Judges nothing.
    pub(super) fn that_counts_tables() -> Self {
        Self { only_counts: true, ..Self::default() }
    }

    /// Whether the files were judged before, perhaps by an earlier release with other rules.
    pub(super) const fn judges_nothing(&self) -> bool {
        self.only_counts
    }

    /// Begins a file. After a file that runs outside the transaction, each file has a transaction of its own, in which
    /// labels that were added to enums earlier can be used.
    pub(super) fn begin(&mut self, marking: Marking) {
        self.is_behind_outside |= marking == Marking::Outside;
        if self.is_behind_outside {
            self.enum_labels.clear();
        }
    }

    pub(super) fn look_at(&mut self, file: &str, marking: Marking, piece: &Piece, findings: &mut Findings) {
        let words = Words::of(piece);
        self.tables.look_at(file, &words);
        if self.only_counts {
            return;
        }
        let mut is_for_new = false;
        let is_inside = match marking {
            Marking::Inside(how) => {
                not_transactional(file, how, &words, findings);
                if piece.statement.batched.is_some() {
                    let message = format!(
                        "{}: take it out of it ({how}), or remove the line `-- tenantry: batched`",
                        batched::INSIDE
                    );
                    findings.error("directive", FileLine { file, line: words.line(0) }, message);
                }
                true
            }
            Marking::Outside => {
                is_for_new = self.is_for_new_tenants(file, &words, findings);
                false
            }
        };
        // The statements that may run outside a transaction are on a list, so no further errors are needed there, except for
        // what runs in batches.
        let all_rules = is_inside || is_for_new || piece.statement.batched.is_some();
        for rule in RULES.iter().filter(|rule| all_rules || rule.weight == Weight::Warning) {
            if let Some(token) = (rule.finds)(&words) {
                if rule.code == rules::PUBLIC_REFERENCE
                    && std::mem::replace(&mut self.has_told_of_public, true)
                {
                    continue;
                }
                let place = FileLine { file, line: words.line(token) };
                match rule.weight {
                    Weight::Error => findings.error(rule.code, place, rule.message),
                    Weight::Warning => findings.warning(rule.code, place, rule.message),
                }
            }
        }
        if let Some(line) = Some(&words).filter(|_| !self.is_alone).and_then(catalog::by_name) {
            findings.error("catalog_by_name", FileLine { file, line }, catalog::BY_NAME);
        }
        for (token, schema) in qualified::foreign_schemas(&words).into_iter().take(MOST_IN_A_STATEMENT) {
            let message = format!(
                "the name is qualified with the schema {0}, and a tenant has one schema, whose name is not known \
                 here: leave the schema out, or add schema = \"{0}\" to blueprint.toml if all tables are in it",
                shown(&schema)
            );
            findings.warning("foreign_schema", FileLine { file, line: words.line(token) }, message);
        }
        if is_inside {
            self.enum_labels(file, &words);
        }
        if let Some(shared) = &mut self.shared {
            if !is_inside {
                shared.outside(file, words.line(0), findings);
            }
            shared.look_at(file, &words, findings);
        }
        if let Some(code) = &mut self.shared_code {
            code.look_at(file, &words, findings);
        }
    }

    /// The number of tables created so far.
    pub(super) fn tables(&self) -> u32 {
        self.tables.created()
    }

    /// These values, as they are written, are part of their enums from the making on, so that all statements can use them.
    pub(super) fn made_with(&mut self, values: &HashSet<String>) {
        self.enum_uses.retain(|value, _| !values.contains(value));
    }

    /// Reports what is known only after the last file.
    pub(super) fn finish(self, findings: &mut Findings) {
        for (file, line) in self.enum_uses.values() {
            let message = "this looks like the value that ALTER TYPE … ADD VALUE added to an enum, and some versions \
                           of PostgreSQL (15, for one) refuse to use it in the same transaction, which is that of the \
                           whole blueprint: put the value into CREATE TYPE";
            findings.warning("enum_value_used", FileLine { file, line: *line }, message);
        }
        if let Some(shared) = self.shared {
            shared.finish(findings);
        }
        if let Some(code) = self.shared_code {
            code.finish(findings);
        }
        for table in self.tables.without_primary_key() {
            let message = format!(
                "the table {} has no primary key, so its rows cannot be told apart, archived or replicated reliably: \
                 add one",
                shown(&table.name)
            );
            findings.warning("no_primary_key", FileLine { file: &table.file, line: table.line }, message);
        }
    }

    /// Looks at the statements of a file before their names lose these schemas.
    pub(super) fn look_at_schemas(
        &mut self,
        file: &str,
        schemas: &[String],
        pieces: &[Piece],
        findings: &mut Findings,
    ) {
        if self.only_counts || schemas.is_empty() {
            return;
        }
        for piece in pieces {
            let words = Words::of(piece);
            if let Some(message) = self.homes.look_at(&words, schemas) {
                findings.error("schema_name", FileLine { file, line: words.line(0) }, message);
            }
        }
    }

    /// Reports that code in a statement names the schema `public`, unless it was told before.
    pub(super) fn names_public(&mut self, file: &str, line: u32, findings: &mut Findings) {
        if !self.only_counts && !std::mem::replace(&mut self.has_told_of_public, true) {
            findings.error(rules::PUBLIC_REFERENCE, FileLine { file, line }, rules::NAMES_PUBLIC);
        }
    }

    /// Judges a statement of a file outside the transaction, and tells whether it is one that only new tenants can have.
    fn is_for_new_tenants(&self, file: &str, words: &Words<'_>, findings: &mut Findings) -> bool {
        let Err(message) = outside::work(words) else { return false };
        let place = FileLine { file, line: words.line(0) };
        // Nothing of a new tenant of shared tables runs outside the transaction.
        if self.shared.is_none() && outside::is_for_new_tenants(words) {
            let message = format!(
                "new tenants have this in their one transaction, and an upgrade of tenants that stand is refused: {message}"
            );
            findings.warning("outside_statement", place, message);
            return true;
        }
        findings.error("outside_statement", place, message);
        false
    }

    fn enum_labels(&mut self, file: &str, words: &Words<'_>) {
        if let Some(label) = added_enum_label(words) {
            self.enum_labels.push(words.text(label).to_owned());
            return;
        }
        for token in
            words.texts().filter(|token| self.enum_labels.iter().any(|label| label == words.text(*token)))
        {
            let place = || (file.to_owned(), words.line(token));
            self.enum_uses.entry(words.text(token).to_owned()).or_insert_with(place);
        }
    }
}

/// Reports a statement that PostgreSQL refuses in a transaction, in a file that runs in one.
fn not_transactional(file: &str, how: &str, words: &Words<'_>, findings: &mut Findings) {
    let Some(token) = outside::refused_inside(words) else { return };
    let what = "PostgreSQL refuses this statement inside a transaction, which the file runs in";
    let message = match outside::work(words) {
        Ok(_) => format!(
            "{what}: put it into a file of its own that is outside of it ({how}), or leave out CONCURRENTLY: new tables \
             are empty, so nobody waits"
        ),
        Err(_) => format!("{what}, and a tenant's own role may not run it outside of one: remove it"),
    };
    findings.error("not_transactional", FileLine { file, line: words.line(token) }, message);
}

/// What a statement of a file outside the transaction does; `None` if such a file may not contain it.
pub fn work_of(statement: &Statement) -> Option<OutsideWork> {
    let mut pieces = split(&statement.text).ok()?;
    let [piece] = pieces.as_mut_slice() else { return None };
    // What stands above it is not in its text.
    piece.statement.batched = statement.batched;
    outside::work(&Words::of(piece)).ok()
}

/// Whether the statement can run only outside a transaction, and is allowed there, or a new tenant has a form of it.
pub(super) fn is_only_for_outside(piece: &Piece) -> bool {
    let words = Words::of(piece);
    if outside::refused_inside(&words).is_some() && outside::is_for_new_tenants(&words) {
        return true;
    }
    outside::refused_inside(&words).is_some() && outside::work(&words).is_ok()
}

/// Whether the statement defines something and does nothing else.
pub(super) fn is_declarative(piece: &Piece) -> bool {
    declarative::is_declarative(&Words::of(piece))
}

/// Whether the statement can open nothing to anybody.
pub(super) fn is_plain(piece: &Piece) -> bool {
    plain::is_plain(&Words::of(piece))
}

/// The token of the label in `alter type t add value [if not exists] 'label'`.
fn added_enum_label(words: &Words<'_>) -> Option<usize> {
    let value = words.starts_with(&["alter", "type"]).then(|| words.find(&["add", "value"])).flatten()? + 2;
    let label = if words.matches(value, &["if", "not", "exists"]) { value + 3 } else { value };
    words.is_text(label).then_some(label)
}

#[cfg(test)]
#[path = "../tests/lint.rs"]
mod tests;
