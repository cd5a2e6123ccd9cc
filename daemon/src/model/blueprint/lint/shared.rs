//! Reports, with file and line, what would let tenants that share tables see, change or guess each other's rows.
//!
//! Only the text is read, so what a `do` block creates is not seen. The real protection is the check of the catalog at
//! the end of the build, which refuses the same by name. This module must not judge what is allowed for tenants with
//! tables of their own.

use std::collections::BTreeMap;

use super::super::findings::{FileLine, Findings, shown};
use super::tables::{self, Table};
use super::words::Words;

const TENANT: &str = "tenant_id";

/// Follows the shared tables through all files.
#[derive(Debug, Default)]
pub(super) struct Shared {
    without_tenant: BTreeMap<String, Table>,
    /// The file outside the transaction that was last reported.
    outside: Option<String>,
}

/// A finding in one statement: its position, code and message.
type SharedFinding = (usize, &'static str, &'static str);

const PRIMARY_KEY: SharedFinding = (
    0,
    "key_without_tenant",
    "the tenants share this table, and a key without tenant_id tells each of the others' rows: write it as a constraint of \
     the table that begins with tenant_id, as in primary key (tenant_id, id)",
);
const UNIQUE: SharedFinding = (
    0,
    "key_without_tenant",
    "the tenants share this table, and what is unique among all of them tells each of the others' rows: put tenant_id first, \
     as in unique (tenant_id, name)",
);
const REFERENCE: SharedFinding = (
    0,
    "reference_without_tenant",
    "a foreign key without tenant_id can point at another tenant's row: write it as a constraint of the table, as in foreign \
     key (tenant_id, x_id) references x (tenant_id, id)",
);
const SETS_TENANT: SharedFinding = (
    0,
    "reference_sets_tenant",
    "this would set tenant_id too, which is never null: name the columns, as in on delete set null (x_id)",
);

const SETS_BY_ITSELF: SharedFinding = (
    0,
    "reference_sets_tenant",
    "PostgreSQL would set columns here with the rights of the tables' owner, tenant_id among them: use on delete set null (x_id), \
     on update cascade, or no action",
);
const EXCLUDES: SharedFinding = (
    0,
    "key_without_tenant",
    "the tenants share this table, and an exclusion that does not compare tenant_id by equality tells each of the others' rows: \
     begin it with tenant_id with =",
);

impl Shared {
    pub(super) fn look_at(&mut self, file: &str, words: &Words<'_>, findings: &mut Findings) {
        self.follow(file, words);
        let found = statement(words).into_iter().chain(constraints(words)).chain(indexes(words));
        for (token, code, message) in found {
            findings.error(code, FileLine { file, line: words.line(token) }, message);
        }
        for (token, code, message) in warnings(words) {
            findings.warning(code, FileLine { file, line: words.line(token) }, message);
        }
    }

    /// Reports a file that would run outside the transaction in which the tables are created.
    pub(super) fn outside(&mut self, file: &str, line: u32, findings: &mut Findings) {
        if self.outside.as_deref() != Some(file) {
            let message = "the tables that tenants share are made in one transaction, which this file would leave: put what \
                           it does into a file that does not";
            findings.error("outside_shared", FileLine { file, line }, message);
            self.outside = Some(file.to_owned());
        }
    }

    pub(super) fn finish(self, findings: &mut Findings) {
        for table in self.without_tenant.into_values() {
            let message = format!(
                "the tenants share the table {}, and without a column tenant_id uuid not null its rows are nobody's: add it",
                shown(&table.name)
            );
            findings.error("no_tenant_id", FileLine { file: &table.file, line: table.line }, message);
        }
    }

    fn follow(&mut self, file: &str, words: &Words<'_>) {
        if let Some(at) = tables::created_table(words) {
            let (Some(name), _) = tables::last_part(words, at) else { return };
            let of_another = |at| words.is(at, "inherits") && words.is_symbol(at + 1, b'(');
            let inherits = words.find(&["partition", "of"]).is_some() || (at..words.len()).any(of_another);
            if !inherits && !has_tenant_column(words) {
                let table = Table { name: name.clone(), file: file.to_owned(), line: words.line(0) };
                self.without_tenant.insert(name, table);
            }
        } else if words.starts_with(&["alter", "table"]) {
            let (Some(name), after) = tables::last_part(words, words.skip(2, tables::IF_EXISTS_ONLY)) else {
                return;
            };
            if has_tenant_column(words) {
                self.without_tenant.remove(&name);
            } else if words.matches(after, &["rename", "to"])
                && let (Some(new), Some(table)) = (words.name(after + 2), self.without_tenant.remove(&name))
            {
                self.without_tenant.insert(new.clone(), Table { name: new, ..table });
            }
        } else if words.starts_with(&["drop", "table"]) {
            for name in tables::dropped(words) {
                self.without_tenant.remove(&name);
            }
        }
    }
}

/// `tenant_id uuid … not null`, or a primary key that includes it, which means the same.
fn has_tenant_column(words: &Words<'_>) -> bool {
    let is_column = |at: &usize| words.is(*at, TENANT) && words.is(at + 1, "uuid");
    let Some(column) = (0..words.len()).find(is_column) else { return false };
    let end = (column..words.len()).find(|at| words.is_symbol(*at, b',')).unwrap_or(words.len());
    let is_not_null = (column..end).any(|at| words.matches(at, &["not", "null"]) || words.is(at, "primary"));
    let in_key = || {
        let key = words.find(&["primary", "key"]);
        key.is_some_and(|at| columns(words, at + 2).is_some_and(|(columns, _)| has_tenant(&columns)))
    };
    is_not_null || in_key()
}

/// What a statement must not do at all.
fn statement(words: &Words<'_>) -> Option<SharedFinding> {
    let view = words.find(&["view"]).filter(|at| *at <= 4 && words.starts_with(&["create"]));
    if words.starts_with(&["create", "materialized", "view"]) {
        let message = "a materialized view holds all tenants' rows and has no policies: make it a view";
        return Some((0, "shared_materialized_view", message));
    }
    if view.is_some() && words.find(&["security_invoker"]).is_none() {
        let message =
            "a view reads with its owner's rights and not its reader's: add with (security_invoker = true)";
        return Some((0, "view_of_owner", message));
    }
    if words.starts_with(&["create|alter|drop", "policy"])
        || words.find(&["row", "level", "security"]).is_some()
    {
        let message =
            "the daemon puts row-level security and its policy on each shared table: remove this statement";
        return Some((0, "shared_policy", message));
    }
    if words.starts_with(&["create", "rule"]) || words.starts_with(&["create", "or", "replace", "rule"]) {
        let message = "a rule runs with its owner's rights and not with those of the tenant: use a trigger";
        return Some((0, "shared_rule", message));
    }
    if words.starts_with(&["create", "foreign", "table"]) {
        return Some((0, "shared_foreign_table", "a foreign table has no policies: use a table"));
    }
    let is_routine = words.starts_with(&["create|alter"])
        && words.find(&["function|procedure|routine"]).is_some_and(|at| at <= 3);
    if is_routine && let Some(at) = words.find(&["security", "definer"]) {
        let message = "SECURITY DEFINER runs as the owner of all tenants' tables, which is no tenant and sees no rows: leave \
                       it out";
        return Some((at, "shared_security_definer", message));
    }
    let is_grant =
        words.starts_with(&["grant"]) || words.starts_with(&["alter", "default", "privileges", "grant"]);
    if is_grant
        && let Some(at) = words.find(&["to", "public"]).or_else(|| words.find(&["with", "grant", "option"]))
    {
        let message = "the application role has its rights from the daemon, and nobody else needs any: remove this statement";
        return Some((at, "shared_grant", message));
    }
    if is_grant && let Some(at) = words.find(&["truncate|trigger|references|create|all"]) {
        let message = "of these rights one empties all tenants' rows past every policy, and nobody needs the others: grant none of them";
        return Some((at, "shared_grant", message));
    }
    None
}

/// Keys and foreign keys within CREATE TABLE and ALTER TABLE.
fn constraints(words: &Words<'_>) -> Vec<SharedFinding> {
    let is_table = tables::created_table(words).is_some() || words.starts_with(&["alter", "table"]);
    let mut found = Vec::new();
    for at in if is_table { 0..words.len() } else { 0..0 } {
        if words.matches(at, &["primary", "key"]) {
            found.extend(key(words, at, at + 2, PRIMARY_KEY));
        } else if words.is(at, "unique") && !words.is_symbol(at + 1, b',') {
            let columns = words.skip(at + 1, &[&["nulls", "not", "distinct"], &["nulls", "distinct"]]);
            found.extend(key(words, at, columns, UNIQUE));
        } else if words.is(at, "references") {
            found.extend(reference(words, at));
        } else if words.matches(at, &["on", "update", "set", "null|default"])
            || words.matches(at, &["on", "delete", "set", "default"])
        {
            found.push((at, SETS_BY_ITSELF.1, SETS_BY_ITSELF.2));
        } else if words.matches(at, &["exclude", "using"])
            || words.is(at, "exclude") && words.is_symbol(at + 1, b'(')
        {
            found.extend((!excludes_within_a_tenant(words, at)).then_some((at, EXCLUDES.1, EXCLUDES.2)));
        } else if words.matches(at, &["on", "delete", "set", "null"]) {
            let named = columns(words, at + 4).is_some_and(|(columns, _)| !has_tenant(&columns));
            found.extend((!named).then_some((at, SETS_TENANT.1, SETS_TENANT.2)));
        }
    }
    found
}

/// `exclude [using METHOD] (…, tenant_id with =, …)`
fn excludes_within_a_tenant(words: &Words<'_>, at: usize) -> bool {
    let open = (at..words.len()).find(|at| words.is_symbol(*at, b'(')).unwrap_or(words.len());
    (open..words.len()).any(|at| words.matches(at, &[TENANT, "with"]) && words.is_symbol(at + 2, b'='))
}

/// A key at `at` whose list of columns would begin at `list`; without a list, it is a constraint on one column.
fn key(words: &Words<'_>, at: usize, list: usize, found: SharedFinding) -> Option<SharedFinding> {
    if words.matches(list, &["using", "index"]) || words.is(list, "not|distinct") {
        return None;
    }
    let is_covered = columns(words, list).map_or_else(
        // `tenant_id uuid primary key`: one row for each tenant.
        || (at.saturating_sub(6)..at).any(|before| words.is(before, TENANT) && words.is(before + 1, "uuid")),
        |(columns, _)| has_tenant(&columns),
    );
    (!is_covered).then_some((at, found.1, found.2))
}

/// `[foreign key (columns)] references table [(columns)]`; without the first part it is a constraint on one column.
fn reference(words: &Words<'_>, at: usize) -> Option<SharedFinding> {
    let here = (0..at)
        .rev()
        .find(|before| words.matches(*before, &["foreign", "key"]))
        .and_then(|before| columns(words, before + 2))
        .filter(|(_, after)| *after == at);
    let (_, after) = words.dotted_name(at + 1);
    let there = columns(words, after);
    let position = |columns: &[String]| columns.iter().position(|column| column == TENANT);
    let is_covered = match (here, there) {
        (Some((here, _)), Some((there, _))) => {
            position(&here).is_some_and(|found| position(&there) == Some(found))
        }
        (Some((here, _)), None) => has_tenant(&here),
        (None, _) => false,
    };
    (!is_covered).then_some((at, REFERENCE.1, REFERENCE.2))
}

fn indexes(words: &Words<'_>) -> Option<SharedFinding> {
    let (columns, at) = index(words, &["create", "unique", "index"])?;
    (!has_tenant(&columns)).then_some((at, UNIQUE.1, UNIQUE.2))
}

fn warnings(words: &Words<'_>) -> Vec<SharedFinding> {
    let mut found = Vec::new();
    if let Some((columns, at)) = index(words, &["create", "index"])
        && columns.first().is_none_or(|column| column != TENANT)
    {
        let message = "the policies look for tenant_id first, and this index begins with something else: put tenant_id first";
        found.push((at, "index_without_tenant", message));
    }
    let counter = words.starts_with(&["create", "sequence"]).then_some(0);
    let column = || {
        let is_table = tables::created_table(words).is_some() || words.starts_with(&["alter", "table"]);
        let counts = |at: &usize| {
            words.is(*at, "serial|bigserial|smallserial") || words.matches(*at, &["as", "identity"])
        };
        (0..words.len()).find(counts).filter(|_| is_table)
    };
    if let Some(at) = counter.or_else(column) {
        let message = "all tenants count with one sequence, and its gaps tell each how much the others do: use uuid with \
                       gen_random_uuid()";
        found.push((at, "shared_sequence", message));
    }
    found
}

/// The columns of the index that the statement creates, and the position of the finding.
fn index(words: &Words<'_>, begin: &[&str]) -> Option<(Vec<String>, usize)> {
    let on = words.starts_with(begin).then(|| words.find(&["on"])).flatten()?;
    let open = (on..words.len()).find(|at| words.is_symbol(*at, b'('))?;
    columns(words, open).map(|(columns, _)| (columns, 0))
}

/// The first name in each part of the list that opens at `open`, and the position after the list.
fn columns(words: &Words<'_>, open: usize) -> Option<(Vec<String>, usize)> {
    if !words.is_symbol(open, b'(') {
        return None;
    }
    let (mut depth, mut names) = (0_usize, Vec::new());
    for at in open..words.len() {
        if words.is_symbol(at, b'(') {
            depth += 1;
        } else if words.is_symbol(at, b')') {
            depth -= 1;
        }
        if depth == 0 {
            return Some((names, at + 1));
        }
        let begins = words.is_symbol(at, b',') || at == open;
        if depth == 1 && begins {
            // An expression keeps its place in the list.
            let is_name = words.name(at + 1).filter(|_| !words.is_symbol(at + 2, b'('));
            names.push(is_name.unwrap_or_default());
        }
    }
    None
}

fn has_tenant(columns: &[String]) -> bool {
    columns.iter().any(|column| column == TENANT)
}

#[cfg(test)]
#[path = "../tests/shared.rs"]
mod tests;
