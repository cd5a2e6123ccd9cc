//! Statements that are for an administrator or for the daemon, and say nothing that a tenant's schema would lack: they are left out,
//! and what they want is done in the way that it is done for all tenants.
//!
//! Invariant: what is left out has no effect on the tables, so each other statement finds what it would find in the file's own tool.

use crate::model::blueprint::Bounds;
use crate::model::blueprint::findings::{FileLine, Findings, shown};
use crate::model::blueprint::folder::Named;
use crate::model::blueprint::lint::words::Words;
use crate::model::blueprint::manifest::is_extension;
use crate::model::blueprint::split::{Piece, split};

/// Where tools keep an account of what they ran.
const ACCOUNTS: [&str; 8] = [
    "schema_migrations",
    "_sqlx_migrations",
    "__diesel_schema_migrations",
    "goose_db_version",
    "gorp_migrations",
    "flyway_schema_history",
    "refinery_schema_history",
    "_prisma_migrations",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum TakenOut {
    /// `create extension name`: declared, as if the manifest said so.
    Extension(String),
    /// `comment on extension` and `drop extension`, which only its owner may.
    Comment,
    /// `alter … owner to role`: a tenant's owner has everything in it.
    Owner,
    /// `create schema`, `set search_path` and the like, of the schema whose place the tenant's takes.
    Schema,
    /// `drop schema` of one that no file makes.
    NoSchema,
    /// A change of the table in which the tool keeps its own account.
    Account,
    /// `set lock_timeout = '5s'` and the like, in a file outside the transaction.
    Timeout,
    /// `set transaction isolation level`.
    Isolation,
}

/// Takes the statements out, tells of them, and returns the extensions that they name.
pub(super) fn take_out(
    named: &Named<'_>,
    file: &str,
    bounds: &Bounds,
    pieces: &mut Vec<Piece>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut extensions = Vec::new();
    let (mut comment, mut owner, mut home, mut timeout) = (None, None, None, None);
    let (mut no_schema, mut account, mut isolation) = (None, None, None);
    let is_inside = *bounds == Bounds::Inside;
    pieces.retain(|piece| {
        let line = piece.statement.line;
        let is_timeout = !is_inside && is_timeout(piece);
        match is_timeout.then_some(TakenOut::Timeout).or_else(|| {
            of(&Words::of(piece), named.schemas).or_else(|| of_the_tool(&Words::of(piece), named))
        }) {
            Some(TakenOut::Extension(name)) => {
                let place = FileLine { file, line };
                findings.note("extension", place, told(&name));
                if name != "plpgsql" && !extensions.contains(&name) {
                    extensions.push(name);
                }
            }
            Some(TakenOut::Comment) => _ = comment.get_or_insert(line),
            Some(TakenOut::Owner) => _ = owner.get_or_insert(line),
            Some(TakenOut::Schema) => _ = home.get_or_insert(line),
            Some(TakenOut::NoSchema) => _ = no_schema.get_or_insert(line),
            Some(TakenOut::Account) => _ = account.get_or_insert(line),
            Some(TakenOut::Timeout) => _ = timeout.get_or_insert(line),
            Some(TakenOut::Isolation) => _ = isolation.get_or_insert(line),
            None => return true,
        }
        false
    });
    if let Some(line) = comment {
        let message =
            "COMMENT ON EXTENSION and DROP EXTENSION are left out: an extension is the administrator's";
        findings.note("extension", FileLine { file, line }, message);
    }
    if let Some(line) = owner {
        let message = "OWNER TO is left out, wherever it is a statement of its own: everything in a tenant belongs to the tenant's \
                       own owner role";
        findings.note("owner", FileLine { file, line }, message);
    }
    if let Some(line) = home {
        let message = "statements about the schema itself are left out: the tenant's schema takes its place, is made by the daemon, \
                       and is where names lead already";
        findings.note("schema", FileLine { file, line }, message);
    }
    if let Some(line) = no_schema {
        let message = "a schema that no file makes is not dropped: a tenant never has it";
        findings.note("schema", FileLine { file, line }, message);
    }
    if let Some(line) = account {
        let message = "changes of the tool's own table of migrations are left out: a tenant has none, since the daemon keeps its history";
        findings.note("history", FileLine { file, line }, message);
    }
    if let Some(line) = timeout {
        let message = "timeouts are left out: outside of transactions each statement has those that the daemon sets for it";
        findings.note("timeout", FileLine { file, line }, message);
    }
    if let Some(line) = isolation {
        let message = "SET TRANSACTION ISOLATION LEVEL is left out: nobody else writes to a new tenant, and in an upgrade each \
                       statement sees what was committed before it began";
        findings.warning("isolation_level", FileLine { file, line }, message);
    }
    extensions
}

fn told(extension: &str) -> String {
    match extension {
        "plpgsql" => "CREATE EXTENSION is left out: every database has plpgsql".to_owned(),
        _ => format!(
            "CREATE EXTENSION is left out, and {} counts as declared in the manifest: a target needs it in the schema \
             tenantry_ext, where every tenant finds it without a schema's name",
            shown(extension)
        ),
    }
}

fn of(words: &Words<'_>, schemas: &[String]) -> Option<TakenOut> {
    if words.starts_with(&["create", "extension"]) {
        let name = words.name(words.skip(2, &[&["if", "not", "exists"]]))?;
        return is_extension(&name).then_some(TakenOut::Extension(name));
    }
    // A dump that can be loaded twice drops them first.
    if words.starts_with(&["comment", "on", "extension"])
        || (words.starts_with(&["drop", "extension", "if", "exists"]) && words.find(&["cascade"]).is_none())
    {
        return Some(TakenOut::Comment);
    }
    if is_change_of_owner(words) {
        return Some(TakenOut::Owner);
    }
    if words.starts_with(&["set", "transaction", "isolation", "level"])
        && words.matches(4, &["serializable|repeatable|read"])
        && words.len() <= 6
    {
        return Some(TakenOut::Isolation);
    }
    is_about_a_schema(words, schemas).then_some(TakenOut::Schema)
}

/// What depends on the folder and its tool.
fn of_the_tool(words: &Words<'_>, named: &Named<'_>) -> Option<TakenOut> {
    if words.starts_with(&["drop", "schema", "if", "exists"]) {
        let is_made = words.name(4).is_none_or(|name| named.made.contains(&name));
        let is_one = words.len() == 5 || (words.len() == 6 && words.is(5, "cascade|restrict"));
        return (is_one && !is_made).then_some(TakenOut::NoSchema);
    }
    is_about_an_account(words, named).then_some(TakenOut::Account)
}

/// Changes the table in which a tool keeps its own account, and which no file makes.
fn is_about_an_account(words: &Words<'_>, named: &Named<'_>) -> bool {
    let at = if words.starts_with(&["comment", "on", "table|column"]) {
        3
    } else if words.starts_with(&["alter", "table"]) {
        words.skip(2, &[&["if", "exists"], &["only"]])
    } else if words.starts_with(&["insert", "into"]) || words.starts_with(&["delete", "from"]) {
        words.skip(2, &[&["only"]])
    } else if words.starts_with(&["update"]) {
        words.skip(1, &[&["only"]])
    } else if words.starts_with(&["create", "trigger"])
        || words.starts_with(&["create", "or", "replace", "trigger"])
    {
        let Some(on) = words.find(&["on"]) else { return false };
        on + 1
    } else {
        return false;
    };
    let (parts, _) = words.dotted_name(at);
    // Of a column, the table stands before the name.
    let Some(made) = &named.tables else { return false };
    parts.iter().rev().take(2).any(|part| ACCOUNTS.contains(&part.as_str()) && !made.contains(part))
}

/// Makes, names or chooses a schema whose place the tenant's takes.
fn is_about_a_schema(words: &Words<'_>, schemas: &[String]) -> bool {
    let is_it = |at: usize| words.name(at).is_some_and(|name| schemas.contains(&name));
    let is_quoted = |at: usize| {
        let inner = words.text(at).strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        inner.is_some_and(|inner| schemas.iter().any(|schema| schema == inner))
    };
    let is_path = |at: usize| {
        is_it(at)
            || is_quoted(at)
            || words.is(at, "pg_catalog|extensions")
            || ["''", "\"$user\""].contains(&words.text(at))
    };
    if schemas.is_empty() {
        return false;
    }
    if words.starts_with(&["set", "schema"]) {
        return is_quoted(2) && words.len() == 3;
    }
    // `select pg_catalog.set_config('search_path', '', false)`, at the beginning of each dump.
    let call = words.skip(1, &[&["pg_catalog"]]);
    let call = if words.is_symbol(call, b'.') { call + 1 } else { call };
    let is_call = words.starts_with(&["select"])
        && words.is(call, "set_config")
        && words.text(call + 2) == "'search_path'"
        && is_path(call + 4)
        && words.len() <= call + 8;
    if is_call {
        return true;
    }
    if words.starts_with(&["create", "schema"]) {
        let at = words.skip(2, &[&["if", "not", "exists"]]);
        // Behind the name may stand an owner, and then tables.
        let behind = if words.is(at + 1, "authorization") { at + 3 } else { at + 1 };
        return is_it(at) && words.len() == behind;
    }
    if words.starts_with(&["comment", "on", "schema"]) {
        return is_it(3);
    }
    if words.starts_with(&["alter", "schema"]) {
        return is_it(2) && words.matches(3, &["owner", "to"]) && words.len() == 6;
    }
    if words.starts_with(&["grant|revoke"]) {
        let at = words.find(&["on", "schema"]);
        return at.is_some_and(|at| is_it(at + 2) && words.is(at + 3, "to|from"));
    }
    let path = words.skip(1, &[&["session"]]);
    words.starts_with(&["set"])
        && words.is(path, "search_path")
        && (path + 2..words.len()).all(|at| is_path(at) || words.is_symbol(at, b','))
}

/// `alter table … disable trigger all` becomes `… trigger user`: the server's own triggers, which are those of foreign keys, are a
/// superuser's to disable. Where rows would break a key meanwhile, the server refuses them.
pub(super) fn spare_the_servers_triggers(file: &str, pieces: &mut [Piece], findings: &mut Findings) -> bool {
    let mut first = None;
    for piece in pieces {
        let words = Words::of(piece);
        let Some(at) = words
            .starts_with(&["alter", "table"])
            .then(|| words.find(&["disable|enable", "trigger", "all"]))
            .flatten()
        else {
            continue;
        };
        let all = words.range(at + 2);
        let text = [&piece.statement.text[..all.start], "user", &piece.statement.text[all.end..]].concat();
        let Some(again) = split(&text).ok().and_then(|mut pieces| pieces.pop()) else { continue };
        first.get_or_insert(piece.statement.line);
        piece.tokens = again.tokens;
        piece.statement.text = text;
    }
    let Some(line) = first else { return false };
    let message = "DISABLE TRIGGER ALL and ENABLE TRIGGER ALL are for those of the tables' owner, USER: foreign keys hold meanwhile, \
                   which a superuser alone may change";
    findings.note("triggers", FileLine { file, line }, message);
    true
}

/// `create extension`, which is left out everywhere.
pub(in crate::model::blueprint) fn is_extension_made(piece: &Piece) -> bool {
    Words::of(piece).starts_with(&["create", "extension"])
}

/// `set [session|local] lock_timeout = '5s'`, `reset lock_timeout`
pub(in crate::model::blueprint) fn is_timeout(piece: &Piece) -> bool {
    const TIMEOUTS: &str = "lock_timeout|statement_timeout|idle_in_transaction_session_timeout|idle_session_timeout|transaction_timeout";
    let words = Words::of(piece);
    words.starts_with(&["set|reset"]) && words.is(words.skip(1, &[&["session"], &["local"]]), TIMEOUTS)
}

/// `alter table a.b owner to c`, with nothing else in the statement.
fn is_change_of_owner(words: &Words<'_>) -> bool {
    const KINDS: &str =
        "table|view|sequence|function|procedure|routine|aggregate|type|domain|index|materialized|statistics";
    if !words.starts_with(&["alter", KINDS]) {
        return false;
    }
    let at = if words.is(1, "materialized") { 3 } else { 2 };
    let (name, mut at) = words.dotted_name(words.skip(at, &[&["if", "exists"], &["only"]]));
    if words.is_symbol(at, b'(') {
        // The arguments of a function.
        at = (at..words.len()).find(|at| words.is_symbol(*at, b')')).map_or(at, |end| end + 1);
    }
    !name.is_empty()
        && words.matches(at, &["owner", "to"])
        && words.name(at + 2).is_some()
        && words.len() == at + 3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::blueprint::split::split;

    #[track_caller]
    fn check(sql: &str, expect: Option<TakenOut>) {
        let pieces = split(sql).unwrap();
        assert_eq!(of(&Words::of(&pieces[0]), &["public".to_owned()]), expect, "{sql}");
    }

    #[test]
    fn extensions_are_known_in_each_form_of_the_statement() {
        let extension = |name: &str| Some(TakenOut::Extension(name.to_owned()));
        check("create extension citext", extension("citext"));
        check("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public", extension("uuid-ossp"));
        check(
            "create extension if not exists pg_trgm with schema public version '1.6' cascade",
            extension("pg_trgm"),
        );
        check("comment on extension citext is 'x'", Some(TakenOut::Comment));
        check("create extension \"A b\"", None);
        check("alter extension citext update", None);
        check("drop extension citext", None);
    }

    #[test]
    fn what_is_said_of_the_schema_itself_is_left_out_and_what_is_said_of_others_is_not() {
        for sql in [
            "create schema if not exists public",
            "create schema public authorization app",
            "comment on schema public is 'standard public schema'",
            "alter schema public owner to pg_database_owner",
            "grant usage on schema public to app",
            "revoke all on schema public from public",
            "set schema 'public'",
            "set search_path to public",
            "SET search_path = public, pg_catalog",
            "set search_path = ''",
            "select pg_catalog.set_config('search_path', '', false)",
            "select set_config('search_path', 'public', true)",
        ] {
            check(sql, Some(TakenOut::Schema));
        }
        for sql in [
            "create schema other",
            "set schema 'other'",
            "alter schema public rename to other",
            "grant usage on schema public, other to app",
            "create schema public create table a (id int)",
            "comment on table a is 'schema public'",
            "grant select on all tables in schema public to app",
            "set search_path = other, public",
            "set local search_path = public",
            "select set_config('search_path', 'other', false)",
            "select set_config('search_path', '', false), f()",
        ] {
            check(sql, None);
        }
    }

    #[test]
    fn an_owner_is_left_out_only_where_the_statement_says_nothing_else() {
        for sql in [
            "alter table public.a owner to app",
            "alter table only a owner to \"the app\"",
            "alter function f(integer, text) owner to current_user",
            "alter materialized view v owner to app",
        ] {
            check(sql, Some(TakenOut::Owner));
        }
        for sql in [
            "alter table a add column owner text, owner to app",
            "alter schema s owner to app",
            "alter database d owner to app",
            "alter table a rename column owner to tenant_owner",
            "alter table a rename owner to b",
            "owner to app",
        ] {
            check(sql, None);
        }
    }
}
