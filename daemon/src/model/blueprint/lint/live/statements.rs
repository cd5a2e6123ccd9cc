//! What statements other than `alter table` cost, and which of all statements take away what the application uses.
//!
//! Each function looks at one statement and at what is known, and reports each fault once.

use tenantry_protocol::plan::Severity;

use super::super::tables::{IF_EXISTS_ONLY, last_part};
use super::super::words::Words;
use super::columns::parts;
use super::known::{Known, ObjectClass, TableAction, action, added_label, created};
use super::{Cost, named};

const IN_BATCHES: &str = "below a line `-- tenantry: batched`, in a file outside the transaction";
const BATCHES: &str = "where ctid = any (array(select ctid from";

pub(super) fn costs(words: &Words<'_>, known: &Known, transaction: usize) -> Vec<Cost> {
    let found =
        [index(words, known), lock(words, known), timeout(words), enum_value(words, known, transaction)];
    found.into_iter().flatten().chain(rows(words, known)).collect()
}

/// An index that is built, built anew or dropped while others wait.
fn index(words: &Words<'_>, known: &Known) -> Option<Cost> {
    if words.starts_with(&["create", "index"]) || words.starts_with(&["create", "unique", "index"]) {
        return create_index(words, known);
    }
    let is_concurrent = words.find(&["concurrently"]).is_some();
    if words.starts_with(&["reindex"]) && !is_concurrent {
        return Some(Cost::warning(
            "live_index",
            0,
            "builds anew with ACCESS EXCLUSIVE on the index and SHARE on its table: every write, and every read that would use the \
             index, waits for as long as that takes",
            "reindex index concurrently NAME, in a file outside the transaction",
        ));
    }
    let at = words.skip(2, &[&["if", "exists"]]);
    let name = last_part(words, at).0.filter(|_| words.starts_with(&["drop", "index"]) && !is_concurrent)?;
    known.is_live(ObjectClass::Relation, &name).then(|| {
        Cost::warning(
            "live_index",
            0,
            "takes ACCESS EXCLUSIVE on the table of the index until the transaction ends: every read and write of it waits",
            format!("drop index concurrently {}, in a file outside the transaction", named(&name)),
        )
    })
}

fn create_index(words: &Words<'_>, known: &Known) -> Option<Cost> {
    let concurrently = words.find(&["index", "concurrently"]).filter(|at| *at <= 2);
    let on = words.find(&["on"])?;
    let table =
        last_part(words, words.skip(on + 1, &[&["only"]])).0.filter(|name| known.is_live_table(name))?;
    let table = named(&table);
    if let Some(at) = concurrently {
        return words.matches(at + 2, &["if", "not", "exists"]).then(|| {
            Cost::warning(
                "live_index_if_not_exists",
                at,
                "takes an index of this name for the one that is wanted, even an invalid one that an earlier build left: queries \
                 would never use it, while each write would keep it up",
                format!("create index concurrently NAME on {table} (…), without IF NOT EXISTS"),
            )
        });
    }
    Some(Cost::warning(
        "live_index",
        0,
        format!(
            "builds the index with SHARE on {table}: every write of the table waits, for as long as that takes"
        ),
        format!("create index concurrently NAME on {table} (…), in a file outside the transaction"),
    ))
}

/// Statements whose only purpose or way is a lock that nobody passes.
fn lock(words: &Words<'_>, known: &Known) -> Option<Cost> {
    let live =
        |at: usize| last_part(words, at).0.filter(|name| known.is_live_table(name)).map(|name| named(&name));
    if words.starts_with(&["lock"]) {
        let table = live(words.skip(1, &[&["table"], &["only"]]))?;
        let says = format!(
            "holds {table} until the transaction ends: whoever needs a lock that conflicts waits for all of the files"
        );
        return Some(Cost::warning(
            "live_lock",
            0,
            says,
            "leave it out: each statement takes the weakest lock that it needs",
        ));
    }
    if words.starts_with(&["truncate"]) {
        let table = live(words.skip(1, &[&["table"], &["only"]]))?;
        let says = format!(
            "takes ACCESS EXCLUSIVE on {table}, so that every read and write of it waits, and removes rows of the tenant for good"
        );
        let safe = format!("{IN_BATCHES}: delete from {table} {BATCHES} {table} limit 1000))");
        return Some(Cost::warning("live_lock", 0, says, safe));
    }
    if words.starts_with(&["cluster"]) {
        live(words.skip(1, &[&["verbose"]]))?;
        let says = "writes the table anew with ACCESS EXCLUSIVE: every read and write of it waits, for as long as that takes";
        return Some(Cost::warning(
            "live_lock",
            0,
            says,
            "leave it out of an upgrade, and do it by hand in a quiet hour",
        ));
    }
    if words.starts_with(&["vacuum"]) && words.find(&["full"]).is_some() {
        let says = "writes the table anew with ACCESS EXCLUSIVE: every read and write of it waits, for as long as that takes";
        return Some(Cost::warning("live_lock", 0, says, "vacuum (analyze) NAME, which nobody waits for"));
    }
    if words.starts_with(&["refresh", "materialized", "view"]) && !words.is(3, "concurrently") {
        let view = live(3)?;
        let says = format!(
            "takes ACCESS EXCLUSIVE on {view}: every read of it waits, for as long as its query takes"
        );
        let safe = format!("refresh materialized view concurrently {view}, which needs a unique index on it");
        return Some(Cost::warning("live_lock", 0, says, safe));
    }
    None
}

const TIMEOUTS: &str =
    "lock_timeout|statement_timeout|idle_in_transaction_session_timeout|transaction_timeout|deadlock_timeout";

fn timeout(words: &Words<'_>) -> Option<Cost> {
    let at = words.skip(1, &[&["session"], &["local"]]);
    let is_set = words.starts_with(&["set|reset"]) && words.is(at, TIMEOUTS);
    let is_call = |at: usize| {
        let name = words.text(at + 2).trim_matches('\'').to_lowercase();
        words.is(at, "set_config")
            && words.is_symbol(at + 1, b'(')
            && TIMEOUTS.split('|').any(|known| known == name)
    };
    let at = if is_set { Some(0) } else { (0..words.len()).find(|at| is_call(*at)) }?;
    Some(Cost::warning(
        "live_timeout",
        at,
        "replaces the time for which an upgrade waits for a lock: everybody who needs the table waits behind it for as long",
        "remove it: the upgrade sets its own, and tries again",
    ))
}

/// A value that another statement of the transaction added to an enum. Its code is that of the same finding in a whole version.
fn enum_value(words: &Words<'_>, known: &Known, transaction: usize) -> Option<Cost> {
    if added_label(words).is_some() {
        return None;
    }
    let at = words.texts().find(|at| known.is_label_of(words.text(*at), transaction))?;
    Some(Cost::warning(
        "enum_value_used",
        at,
        "uses a value that the same transaction added to an enum, which PostgreSQL refuses",
        "alter type NAME add value 'VALUE', in a file outside the transaction, with what uses it behind",
    ))
}

/// Rows that are changed all at once.
fn rows(words: &Words<'_>, known: &Known) -> Vec<Cost> {
    let heads: Vec<usize> = if words.starts_with(&["update"]) || words.starts_with(&["delete"]) {
        vec![0]
    } else if words.starts_with(&["with"]) {
        (1..words.len())
            .filter(|at| words.is(*at, "update") || words.matches(*at, &["delete", "from"]))
            .collect()
    } else if words.starts_with(&["merge", "into"]) {
        vec![0]
    } else {
        Vec::new()
    };
    if words.statement().batched.is_some() {
        return Vec::new();
    }
    heads.into_iter().filter_map(|at| changed(words, known, at)).collect()
}

fn changed(words: &Words<'_>, known: &Known, at: usize) -> Option<Cost> {
    let (name, behind) = last_part(words, words.skip(at + 1, &[&["from"], &["into"], &["only"]]));
    let table = name.filter(|name| known.is_live_table(name))?;
    // `for update` and `for update of t` in a query.
    if at > 0 && words.is(at - 1, "for") {
        return None;
    }
    let table = named(&table);
    let is_all = !words.is(at, "merge") && !(behind..words.len()).any(|at| words.is(at, "where"));
    let which = if is_all { "every row" } else { "the rows that it finds" };
    let more = if is_all { "" } else { " where …" };
    Some(Cost::warning(
        "live_unbatched",
        at,
        format!(
            "locks {which} of {table} until the transaction ends: who writes one of them waits for all of the files, and the space \
             of the old rows comes back only afterwards"
        ),
        if words.is(at, "delete") {
            format!("{IN_BATCHES}: delete from {table} {BATCHES} {table}{more} limit 1000))")
        } else {
            format!("{IN_BATCHES}: update {table} set … {BATCHES} {table}{more} limit 1000))")
        },
    ))
}

/// Something of the earlier version that a statement removes or renames.
#[derive(Debug)]
pub(super) struct TakenAway {
    pub(super) cost: Cost,
    /// What has to be made again, in the same transaction, for the application not to notice.
    replaceable: Option<(ObjectClass, String)>,
}

impl TakenAway {
    /// Whether the statement makes the object anew.
    pub(super) fn returns_in(&self, words: &Words<'_>) -> bool {
        let Some((class, name)) = &self.replaceable else { return false };
        created(words).is_some_and(|made| made.class == *class && made.name == *name)
    }

    fn new(code: &'static str, says: String, safe: String) -> Self {
        Self { cost: Cost { code, severity: Severity::Error, at: 0, says, safe }, replaceable: None }
    }
}

pub(super) fn taken_away(words: &Words<'_>, known: &Known) -> Vec<TakenAway> {
    if words.starts_with(&["alter"]) { altered(words, known) } else { dropped(words, known) }
}

const CONTRACT: &str = "in a later version with phase = \"contract\", when no application uses it";

fn dropped(words: &Words<'_>, known: &Known) -> Vec<TakenAway> {
    let Some((class, at)) = dropped_class(words) else { return Vec::new() };
    let is_table = words.is(at - 1, "table");
    let mut at = words.skip(at, IF_EXISTS_ONLY);
    let mut found = Vec::new();
    while let (Some(name), mut after) = last_part(words, at) {
        if words.is_symbol(after, b'(') {
            after = super::columns::behind_parenthesis(words, after);
        }
        if known.is_live(class, &name) {
            let shown = named(&name);
            let says = format!(
                "takes away {shown}, which the application that runs now may use: its queries fail from then on"
            );
            let safe = format!("stop using {shown} in the application first, and drop it {CONTRACT}");
            let replaceable = (!is_table).then_some((class, name));
            found.push(TakenAway { replaceable, ..TakenAway::new("live_drop", says, safe) });
        }
        if !words.is_symbol(after, b',') {
            break;
        }
        at = after + 1;
    }
    found
}

/// What a `drop` drops, and the position behind its kind.
fn dropped_class(words: &Words<'_>) -> Option<(ObjectClass, usize)> {
    if !words.starts_with(&["drop"]) {
        return None;
    }
    let at = words.skip(1, &[&["materialized"], &["foreign"]]);
    let class = if words.is(at, "table|view|sequence") {
        ObjectClass::Relation
    } else if words.is(at, "function|procedure|routine|aggregate") {
        ObjectClass::Routine
    } else if words.is(at, "type|domain") {
        ObjectClass::Type
    } else {
        return None;
    };
    Some((class, at + 1))
}

fn altered(words: &Words<'_>, known: &Known) -> Vec<TakenAway> {
    let at = words.skip(1, &[&["materialized"], &["foreign"]]);
    let class = if words.is(at, "table|view|sequence") {
        ObjectClass::Relation
    } else if words.is(at, "function|procedure|routine|aggregate") {
        ObjectClass::Routine
    } else if words.is(at, "type|domain") {
        ObjectClass::Type
    } else {
        return Vec::new();
    };
    let (Some(name), mut after) = last_part(words, words.skip(at + 1, IF_EXISTS_ONLY)) else {
        return Vec::new();
    };
    if !known.is_live(class, &name) {
        return Vec::new();
    }
    if words.is_symbol(after, b'(') {
        after = super::columns::behind_parenthesis(words, after);
    }
    if words.is(after, "rename") {
        return if words.is(after + 1, "constraint") {
            Vec::new()
        } else {
            vec![renamed(words, &name, after)]
        };
    }
    let is_type = words.is(at, "type");
    let gone = |(begin, end)| {
        let column = match action(words, begin, end) {
            TableAction::DropColumn { column } if words.is(at, "table") => column,
            TableAction::DropColumn { .. } if is_type && words.is(begin + 1, "attribute") => {
                words.name(words.skip(begin + 2, &[&["if", "exists"]]))?
            }
            _ => return None,
        };
        let (column, table) = (named(&column), named(&name));
        let says = format!(
            "takes away {column} of {table}, which the application that runs now may use: its queries fail from then on"
        );
        let safe = format!("stop using {column} in the application first, and drop it {CONTRACT}");
        let mut gone = TakenAway::new("live_drop", says, safe);
        gone.cost.at = begin;
        Some(gone)
    };
    parts(words, after, words.len()).into_iter().filter_map(gone).collect()
}

fn renamed(words: &Words<'_>, name: &str, at: usize) -> TakenAway {
    let name = named(name);
    let what = match words.name(words.skip(at + 1, &[&["column|attribute|value"]])) {
        Some(column) if !words.is(at + 1, "to") => format!("{} of {name}", named(&column)),
        _ => name,
    };
    TakenAway::new(
        "live_rename",
        format!(
            "renames {what}, which the application that runs now knows by that name: its queries fail from then on"
        ),
        format!(
            "keep {what}; add what has the new name beside it, write both, and drop the old one {CONTRACT}; for a table, add a view \
             with the new name"
        ),
    )
}
