//! Temporary tables of a file: the owner may make them while the file runs, and they are gone before anything else happens in the
//! session.
//!
//! Invariant: the privilege is given and taken within the transaction of the build, so that nobody else ever has it or sees it. The
//! session's own statements never meet a temporary object: they are dropped before the first one, by a statement that calls none of
//! the tenant's code.

use super::file_error::FileError;
use super::runner::Build;
use crate::model::blueprint::{Blueprint, mentions_temporary};
use crate::postgres::error::{Error, Result};
use crate::postgres::quote::{Value, render};

/// The privileges of a database are one row of the catalog, which only one transaction can change at a time. The others wait here,
/// where a tenant cannot.
const LEND: &str = "\
set local statement_timeout = 0;
set local lock_timeout = '60s';
lock table tenantry.target_identity in share row exclusive mode;
reset lock_timeout;
reset statement_timeout;
grant temporary on database {database} to {placement};
";

const TAKE_BACK: &str = "\
close all;
discard temp;
revoke temporary on database {database} from {placement};
";

/// The statements of [`TAKE_BACK`].
pub(super) const TAKEN_BACK_IN: usize = 3;

impl Build {
    /// The files come behind others, which stand already. One of those may have made what needs temporary tables.
    pub fn come_behind(&mut self, version: &Blueprint) {
        let texts = version.migrations.iter().flat_map(|file| &file.statements);
        self.has_temporary |= texts.map(|statement| &statement.text).any(|text| mentions_temporary(text));
    }

    /// Lets the owner make temporary tables, if this file or an earlier one has any. Returns whether it may, and the statement that comes
    /// before those of the file.
    pub(super) async fn lend_temporary(&mut self, statements: &[String]) -> Result<(bool, Option<String>)> {
        // What a file makes may need them when a later file calls it, as a trigger does that refreshes a view.
        let is_mentioned = statements.iter().any(|statement| mentions_temporary(statement));
        self.has_temporary |= is_mentioned;
        if !self.has_temporary {
            return Ok((false, None));
        }
        self.execute(self.about_temporary(LEND), "let the owner make temporary tables").await?;
        if !is_mentioned {
            // The path is the same whichever files ran before: functions can keep it.
            return Ok((true, None));
        }
        // A temporary table stands before one of the same name, as in every session that says nothing else.
        let home = self.pool.as_ref().unwrap_or(&self.placement);
        let before =
            render("set local search_path = {home}, tenantry_ext", &[("home", Value::Placement(home))]);
        Ok((true, Some(before)))
    }

    /// Statements that drop what the file has left of them, and take the privilege back. A file can be in the way of that, which
    /// [`in_the_way`] tells.
    pub(super) fn take_back_temporary(&self) -> String {
        self.about_temporary(TAKE_BACK)
    }

    fn about_temporary(&self, template: &str) -> String {
        let values = [
            ("database", Value::Identifier(&self.database)),
            ("placement", Value::Placement(&self.placement)),
        ];
        render(template, &values)
    }
}

/// Why the temporary tables could not be dropped.
pub(super) fn in_the_way(error: Error) -> FileError {
    match error.server() {
        Some(server) if !error.is_unreachable() => FileError::Unsafe(format!(
            "the migration is in the way of its temporary tables' end: {}",
            server.message
        )),
        _ => FileError::Database(error),
    }
}
