//! Temporary tables of a file: the owner may make them while the file runs, and they are gone before anything else happens in the
//! session.
//!
//! Invariant: the privilege is given and taken within the transaction of the build, so that nobody else ever has it or sees it. The
//! session's own statements never meet a temporary object: they are dropped before the first one, by a statement that calls none of
//! the tenant's code.

use super::runner::Build;
use crate::postgres::error::Result;
use crate::postgres::quote::{Value, render};

/// The privileges of a database are one row of the catalog, which only one transaction can change at a time. The others wait here,
/// where a tenant cannot.
const LEND: &str = "\
set local lock_timeout = '60s';
lock table tenantry.target_identity in share row exclusive mode;
reset lock_timeout;
grant temporary on database {database} to {placement};
";

const TAKE_BACK: &str = "\
close all;
discard temp;
revoke temporary on database {database} from {placement};
";

impl Build {
    /// Lets the owner make temporary tables, if the file has any. Returns the statement that comes before those of the file.
    pub(super) async fn lend_temporary(&mut self, statements: &[String]) -> Result<Option<String>> {
        if !statements.iter().any(|statement| mentions_temporary(statement)) {
            return Ok(None);
        }
        self.execute(self.about_temporary(LEND), "let the owner make temporary tables").await?;
        // A temporary table stands before one of the same name, as in every session that says nothing else.
        let home = self.pool.as_ref().unwrap_or(&self.placement);
        Ok(Some(render("set local search_path = {home}, tenantry_ext", &[("home", Value::Placement(home))])))
    }

    /// Drops what the file has left of them, and takes the privilege back.
    pub(super) async fn take_back_temporary(&mut self) -> Result<()> {
        self.execute(self.about_temporary(TAKE_BACK), "drop the temporary tables").await
    }

    fn about_temporary(&self, template: &str) -> String {
        let values = [
            ("database", Value::Identifier(&self.database)),
            ("placement", Value::Placement(&self.placement)),
        ];
        render(template, &values)
    }
}

/// Whether the text has a word for temporary tables, or a statement that makes one by itself. A word in a text or a comment counts
/// as well: the privilege does no harm.
fn mentions_temporary(statement: &str) -> bool {
    let mut is_refresh = false;
    for word in statement.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        if is(&["temp", "temporary", "pg_temp"]) || is_refresh && is(&["concurrently"]) {
            return true;
        }
        is_refresh |= is(&["refresh"]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::mentions_temporary;

    #[test]
    fn temporary_tables_are_found_by_their_words() {
        for sql in [
            "create TEMP table a (id int)",
            "create temporary view v as select 1",
            "do $$begin create temp table a as select 1; end$$",
            "select 1 into temp a",
            "create function pg_temp.f() returns int language sql as 'select 1'",
            "refresh materialized view concurrently v",
        ] {
            assert!(mentions_temporary(sql), "{sql}");
        }
        for sql in [
            "create table temperature (temperature int, template text, is_temp int)",
            "refresh materialized view v",
            "create index concurrently i on a (refresh)",
        ] {
            assert!(!mentions_temporary(sql), "{sql}");
        }
    }
}
