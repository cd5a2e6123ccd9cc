//! How a version's files run for a tenant that is being made: all in its one transaction, since nobody uses its tables yet.
//!
//! A statement that PostgreSQL refuses in a transaction runs in a form that is allowed there and leaves the same catalog. A value of an
//! enum could not be used before a COMMIT, so it becomes a part of CREATE TYPE. Upgrades of tenants that stand run the files as they
//! are written.
//!
//! Invariant: a version of which one statement has no such form runs as it is written, with a COMMIT before the first file outside.

mod enums;
mod plain_form;

use std::collections::HashSet;

pub use self::plain_form::{blank_form, plain_form};
use super::findings::{FileLine, Findings};
use super::{Migration, OutsideWork, Statement, work_of};

/// How a file runs while a tenant is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreshFile {
    AsWritten,
    Otherwise(Vec<FreshStatement>),
}

/// What runs in the place of a file's statement. A statement that has nothing in its place changes nothing in a new tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshStatement {
    pub text: String,
    /// The number of the statement in the file, from 0.
    pub of: usize,
    pub is_as_written: bool,
}

/// How these files run in one transaction, in their order; `None` if one of their statements cannot. With it, the values of enums that
/// become a part of CREATE TYPE, as they are written.
pub(super) fn of(
    migrations: &[Migration],
    findings: &mut Findings,
) -> (Option<Vec<FreshFile>>, HashSet<String>) {
    let folded = enums::fold(migrations);
    let Some(fresh) = forms(migrations, &folded.forms) else {
        refuse_unlisted(migrations, findings);
        return (None, HashSet::new());
    };
    for (number, file) in migrations.iter().enumerate() {
        tell(file, number, &folded.forms, findings);
    }
    (Some(fresh), folded.values)
}

/// Where files run behind a COMMIT, a file outside the transaction may only have what is on the list for tenants that stand.
fn refuse_unlisted(migrations: &[Migration], findings: &mut Findings) {
    for file in migrations.iter().filter(|file| file.is_outside()) {
        if let Some(statement) = file.statements.iter().find(|one| work_of(one).is_none()) {
            let message = "a value of an enum is added to a type that the version does not make, so that files run one by one, and this \
                           statement cannot be outside of a transaction: move it into a file of its own that runs in one";
            findings.error("outside_statement", FileLine { file: &file.path, line: statement.line }, message);
        }
    }
}

fn forms(migrations: &[Migration], folded: &enums::Forms) -> Option<Vec<FreshFile>> {
    // Behind a COMMIT, a later file could use such a value.
    let needs_commit = migrations.iter().any(Migration::is_outside)
        && (0..).zip(migrations).any(|(number, file)| adds_value(number, file, folded));
    if needs_commit {
        return None;
    }
    let form_of = |(number, file): (usize, &Migration)| {
        let mut statements = Vec::new();
        let mut is_otherwise = false;
        for (of, statement) in file.statements.iter().enumerate() {
            let form = match folded.get(&(number, of)) {
                Some(form) => form.clone(),
                None if file.is_outside() => placed(statement)?,
                None => Some(statement.text.clone()),
            };
            let is_as_written = form.as_ref() == Some(&statement.text);
            is_otherwise |= !is_as_written;
            statements.extend(form.map(|text| FreshStatement { text, of, is_as_written }));
        }
        Some(if is_otherwise { FreshFile::Otherwise(statements) } else { FreshFile::AsWritten })
    };
    migrations.iter().enumerate().map(form_of).collect()
}

/// Whether the file adds a value to an enum that its making does not have.
fn adds_value(number: usize, file: &Migration, folded: &enums::Forms) -> bool {
    let statements = file.statements.iter().enumerate();
    statements
        .filter(|(of, _)| !folded.contains_key(&(number, *of)))
        .any(|(_, statement)| work_of(statement) == Some(OutsideWork::AddValue))
}

/// A statement of a file outside the transaction, as it runs in one; `None` if that cannot be, and `Some(None)` if it changes nothing there.
fn placed(statement: &Statement) -> Option<Option<String>> {
    match (work_of(statement), blank_form(statement)) {
        (Some(OutsideWork::Batch(_)), None) => None,
        (_, form) => Some(form),
    }
}

fn tell(file: &Migration, number: usize, folded: &enums::Forms, findings: &mut Findings) {
    let place = |line| FileLine { file: &file.path, line };
    if file.is_outside()
        && let Some(first) = file.statements.first()
    {
        let message = "a new tenant has no rows and no users, so this file is part of its one transaction, without CONCURRENTLY and \
                       without VACUUM; an upgrade of tenants that stand runs it as it is written";
        findings.note("in_transaction", place(first.line), message);
    }
    let gone = file.statements.iter().enumerate().find(|(of, _)| folded.get(&(number, *of)) == Some(&None));
    if let Some((_, statement)) = gone {
        let message = "a new tenant has this value from CREATE TYPE on, so that the other statements of its one transaction can use it; an \
                       upgrade of tenants that stand runs ADD VALUE as it is written";
        findings.note("enum_value", place(statement.line), message);
    }
}

/// A file as a build runs it.
#[derive(Debug, Clone, Copy)]
pub struct BuildFile<'a> {
    pub file: &'a Migration,
    pub form: &'a FreshFile,
}

impl<'a> BuildFile<'a> {
    /// As it is written.
    pub const fn written(file: &'a Migration) -> Self {
        Self { file, form: &FreshFile::AsWritten }
    }

    /// The statements that run.
    pub fn texts(&self) -> Vec<String> {
        match self.form {
            FreshFile::AsWritten => self.file.statements.iter().map(|one| one.text.clone()).collect(),
            FreshFile::Otherwise(statements) => statements.iter().map(|one| one.text.clone()).collect(),
        }
    }

    /// The number of the file's statement that the text with this number stands for, and whether it is the same text.
    pub fn origin(&self, number: usize) -> (usize, bool) {
        match self.form {
            FreshFile::AsWritten => (number, true),
            FreshFile::Otherwise(statements) => {
                statements.get(number).map_or((number, false), |one| (one.of, one.is_as_written))
            }
        }
    }

    /// What runs, as one text.
    pub fn sql(&self) -> String {
        match self.form {
            FreshFile::AsWritten => self.file.sql.to_string(),
            FreshFile::Otherwise(_) => {
                self.texts().iter().fold(String::new(), |sql, text| sql + text + ";\n")
            }
        }
    }
}

#[cfg(test)]
mod tests;
