//! The statements that make an object what it should be, where such statements can be written; otherwise a sentence.
//!
//! They are for a person who reads them first: a dropped column is gone, and a new index locks its table. Nothing here runs them.

use super::Object;

/// Rights on an object are an object of their own, which is there exactly as long as the other.
pub(super) const PRIVILEGES: &str = "privileges";

/// The place of the columns in a table's body.
const COLUMNS: &str = "(…)";

/// Makes an object with everything that comes and goes with it.
pub(super) fn create(object: &Object, within: &[&Object]) -> Result<String, String> {
    match object.kind.as_str() {
        "schema" => Err(
            "the whole schema is missing, and its rows with it: restore the tenant from an archive, or roll it back and \
             provision it again"
                .to_owned(),
        ),
        "object" => Err("this release knows nothing more of this kind of object: make it as the blueprint does".to_owned()),
        _ => {
            let mut sql = Vec::new();
            make(object, within, &mut sql);
            Ok(joined(&sql))
        }
    }
}

fn make(object: &Object, within: &[&Object], sql: &mut Vec<String>) {
    let label = object.label();
    let mut parts: Vec<&&Object> =
        within.iter().filter(|part| part.parent.as_ref() == Some(&label)).collect();
    parts.sort_by_key(|part| (rank(part), &part.name));
    let (before, behind): (Vec<&&Object>, Vec<&&Object>) =
        parts.into_iter().partition(|part| part.kind == "sequence");
    if object.kind == "column" {
        sql.extend(column_added(object));
    } else if is_table(object) {
        sql.extend(before.iter().map(|sequence| sequence.body.clone()));
        let columns: Vec<String> = behind.iter().filter_map(|part| inline(part)).collect();
        sql.push(object.body.replace(COLUMNS, &format!("(\n    {}\n)", columns.join(",\n    "))));
        sql.extend(object.clauses.iter().filter_map(|clause| forward(object, clause)));
    } else {
        if !object.body.is_empty() {
            sql.push(with_values(object));
        }
        sql.extend(object.clauses.iter().filter_map(|clause| forward(object, clause)));
    }
    for sequence in before {
        let is_identity = object.kind == "column";
        if is_identity {
            sql.push(sequence.body.replacen("create", "alter", 1));
        }
        sql.extend(sequence.clauses.iter().filter_map(|clause| forward(sequence, clause)));
        rights(sequence, within, sql);
    }
    for part in behind {
        if part.kind == "column" && is_table(object) {
            sql.extend(
                part.clauses.iter().filter(|clause| !is_inline(clause)).filter_map(|c| forward(part, c)),
            );
            rights(part, within, sql);
        } else {
            make(part, within, sql);
        }
    }
}

/// The privileges, and the sequence's of an identity, of a part that was made with its table.
fn rights(part: &Object, within: &[&Object], sql: &mut Vec<String>) {
    let label = part.label();
    for own in within.iter().filter(|own| own.parent.as_ref() == Some(&label)) {
        if own.kind == "sequence" {
            sql.push(own.body.replacen("create", "alter", 1));
            rights(own, within, sql);
        } else {
            sql.extend(own.clauses.iter().filter_map(|clause| forward(own, clause)));
        }
    }
}

fn rank(object: &Object) -> usize {
    const ORDER: [&str; 9] =
        ["column", "constraint", "index", "statistics", "rule", "trigger", "policy", "table", PRIVILEGES];
    let is_reference = object.kind == "constraint" && object.body.starts_with("FOREIGN KEY");
    let rank = ORDER.iter().position(|kind| *kind == object.kind).unwrap_or(ORDER.len());
    // A key that is referred to comes first.
    10 * rank + usize::from(is_reference)
}

/// Drops an object that should not be there.
pub(super) fn drop(object: &Object) -> Result<String, String> {
    let (name, parent) = (&object.name, parent_of(object));
    let own = own_name(object);
    Ok(joined(&[match object.kind.as_str() {
        "object" => {
            return Err("this release knows nothing more of this kind of object: drop it by hand".to_owned());
        }
        "column" => format!("alter table {parent} drop column {own}"),
        "constraint" => format!("alter table {parent} drop constraint {own}"),
        "trigger" | "rule" | "policy" => format!("drop {} {own} on {parent}", object.kind),
        "default privileges" => return Ok(joined(&backward_all(object))),
        kind => format!("drop {kind} {name}"),
    }]))
}

/// Makes an object that is there into what it should be.
pub(super) fn alter(wanted: &Object, there: &Object) -> Result<String, String> {
    if wanted.kind == "column" {
        return column(wanted, there);
    }
    if wanted.body != there.body {
        return replace(wanted, there);
    }
    if wanted.body.starts_with("create type") && wanted.body.ends_with(" as enum") {
        return values(wanted, there);
    }
    let gone = there.clauses.iter().filter(|clause| !wanted.clauses.contains(clause));
    let new = wanted.clauses.iter().filter(|clause| !there.clauses.contains(clause));
    let mut sql: Vec<String> = gone.filter_map(|clause| backward(there, clause)).collect();
    sql.extend(new.filter_map(|clause| forward(wanted, clause)));
    if sql.is_empty() {
        return Err("only the order of its parts is another: make it again".to_owned());
    }
    Ok(joined(&sql))
}

/// The same name, made in another way.
fn replace(wanted: &Object, there: &Object) -> Result<String, String> {
    let (own, parent) = (own_name(wanted), parent_of(wanted));
    let again = |drop: String| {
        let clauses = wanted.clauses.iter().filter_map(|clause| forward(wanted, clause));
        Ok(joined(&[drop, wanted.body.clone()].into_iter().chain(clauses).collect::<Vec<_>>()))
    };
    match wanted.kind.as_str() {
        "constraint" if there.body == format!("{} NOT VALID", wanted.body) => {
            Ok(joined(&[format!("alter table {parent} validate constraint {own}")]))
        }
        "constraint" => Ok(joined(&[
            format!("alter table {parent} drop constraint {own}"),
            format!("alter table {parent} add constraint {own} {}", wanted.body),
        ])),
        "index" | "statistics" => again(format!("drop {} {}", wanted.kind, wanted.name)),
        "trigger" | "policy" | "rule" => again(format!("drop {} {own} on {parent}", wanted.kind)),
        "view" => {
            let view = wanted.body.replacen("create view", "create or replace view", 1);
            // It loses the options that are not said again.
            let options = wanted.clauses.iter().filter_map(|clause| forward(wanted, clause));
            Ok(joined(&std::iter::once(view).chain(options).collect::<Vec<_>>()))
        }
        "aggregate" => Ok(joined(&[wanted.body.replacen("create aggregate", "create or replace aggregate", 1)])),
        "function" | "procedure" => Ok(joined(std::slice::from_ref(&wanted.body))),
        "sequence" => Ok(joined(&[wanted.body.replacen("create", "alter", 1)])),
        "materialized view" => Err(
            "a materialized view cannot be replaced: drop it, and make it again with its indexes and privileges".to_owned(),
        ),
        _ => Err(format!(
            "a {} cannot be altered in that way: make it again beside this one, and move over what uses it",
            wanted.kind
        )),
    }
}

/// The values of an enumeration: they can be added, at a place, and never removed or moved.
fn values(wanted: &Object, there: &Object) -> Result<String, String> {
    let value = |clause: &String| clause.strip_prefix("value ").map(str::to_owned);
    let (want, have): (Vec<String>, Vec<String>) =
        (wanted.clauses.iter().filter_map(value).collect(), there.clauses.iter().filter_map(value).collect());
    if let Some(extra) = have.iter().find(|value| !want.contains(value)) {
        return Err(format!(
            "the value {extra} cannot be removed from an enumeration: make the type again under another name, and alter the \
             columns that have it"
        ));
    }
    let mut known = have;
    let mut sql = Vec::new();
    for (at, value) in want.iter().enumerate() {
        if known.contains(value) {
            continue;
        }
        let place = match at.checked_sub(1).and_then(|before| want.get(before)) {
            Some(before) => format!("after {before}"),
            None => known.first().map(|first| format!("before {first}")).unwrap_or_default(),
        };
        sql.push(format!("alter type {} add value {value} {place}", wanted.name).trim_end().to_owned());
        known.push(value.clone());
    }
    let others = wanted.clauses.iter().filter(|clause| !there.clauses.contains(clause));
    sql.extend(others.filter(|clause| value(clause).is_none()).filter_map(|clause| forward(wanted, clause)));
    if sql.is_empty() {
        return Err("the order of an enumeration's values cannot be changed: make the type again".to_owned());
    }
    Ok(joined(&sql))
}

fn with_values(object: &Object) -> String {
    if object.kind == "constraint" {
        return format!(
            "alter table {} add constraint {} {}",
            parent_of(object),
            own_name(object),
            object.body
        );
    }
    if !(object.kind == "type" && object.body.ends_with(" as enum")) {
        return object.body.clone();
    }
    let values: Vec<&str> =
        object.clauses.iter().filter_map(|clause| clause.strip_prefix("value ")).collect();
    format!("{} ({})", object.body, values.join(", "))
}

/// The column as it stands in the list of a new table's columns.
fn inline(column: &Object) -> Option<String> {
    if column.kind != "column" {
        return None;
    }
    let clauses = column.clauses.iter().filter(|clause| is_inline(clause)).map(String::as_str);
    Some([own_name(column), column.body.as_str()].into_iter().chain(clauses).collect::<Vec<_>>().join(" "))
}

fn is_inline(clause: &str) -> bool {
    clause == "not null" || clause.starts_with("default ") || clause.starts_with("generated ")
}

fn column_added(column: &Object) -> Vec<String> {
    let added =
        format!("alter table {} add column {}", parent_of(column), inline(column).unwrap_or_default());
    let others = column.clauses.iter().filter(|clause| !is_inline(clause));
    std::iter::once(added).chain(others.filter_map(|clause| forward(column, clause))).collect()
}

fn column(wanted: &Object, there: &Object) -> Result<String, String> {
    let generated = |object: &Object| {
        object.clauses.iter().find(|clause| clause.starts_with("generated always as (")).cloned()
    };
    if generated(wanted) != generated(there) && generated(wanted).is_some() {
        return Err(
            "a column cannot become a generated one: drop it, and add it again as expected".to_owned()
        );
    }
    let gone = there.clauses.iter().filter(|clause| !wanted.clauses.contains(clause));
    let new = wanted.clauses.iter().filter(|clause| !there.clauses.contains(clause));
    let is_identity = |clause: &String| clause.ends_with(" as identity");
    let both = wanted.clauses.iter().any(is_identity) && there.clauses.iter().any(is_identity);
    let mut sql: Vec<String> = Vec::new();
    sql.extend(gone.filter(|clause| !(both && is_identity(clause))).filter_map(|c| backward(there, c)));
    if wanted.body != there.body {
        sql.push(altering(wanted, &format!("type {}", wanted.body)));
    }
    for clause in new {
        if both && is_identity(clause) {
            let kind = clause.trim_start_matches("generated ").trim_end_matches(" as identity");
            sql.push(altering(wanted, &format!("set generated {kind}")));
        } else {
            sql.extend(forward(wanted, clause));
        }
    }
    Ok(joined(&sql))
}

fn altering(column: &Object, what: &str) -> String {
    format!("alter table {} alter column {} {what}", parent_of(column), own_name(column))
}

/// The statement that adds a clause to an object.
fn forward(object: &Object, clause: &str) -> Option<String> {
    let (name, parent) = (&object.name, parent_of(object));
    Some(match object.kind.as_str() {
        "column" if clause.starts_with("generated ") => altering(object, &format!("add {clause}")),
        // Options are set as they are written.
        "column" if clause.starts_with("set (") => altering(object, clause),
        "column" if clause.starts_with("storage ") => {
            altering(object, &format!("set storage {}", second(clause)))
        }
        "column" => altering(object, &format!("set {clause}")),
        PRIVILEGES | "default privileges" => clause.to_owned(),
        "trigger" | "rule" => format!("alter table {parent} {clause}"),
        "index" | "constraint" if clause.starts_with("cluster on") => {
            format!("alter table {parent} {clause}")
        }
        // What is broken is not made.
        "index" | "constraint" => return None,
        _ if clause.starts_with("value ") => return None,
        "domain" if clause.starts_with("constraint ") => format!("alter domain {name} add {clause}"),
        "domain" if !clause.starts_with("owner to") => format!("alter domain {name} set {clause}"),
        "type" if clause.starts_with("attribute ") => format!("alter type {name} add {clause}"),
        _ => match clause.strip_prefix("partition of ").and_then(|of| of.split_once(' ')) {
            Some((of, bounds)) => format!("alter table {of} attach partition {name} {bounds}"),
            None => format!("alter {} {name} {clause}", object.kind),
        },
    })
}

/// The statement that takes a clause from an object; none where the right clause replaces it.
fn backward(object: &Object, clause: &str) -> Option<String> {
    let (name, parent, own) = (&object.name, parent_of(object), own_name(object));
    if clause.starts_with("owner to") {
        return None;
    }
    let option = |clause: &str| {
        let inner = clause.strip_prefix("set (")?.strip_suffix(')')?;
        Some(inner.split('=').next().unwrap_or(inner).to_owned())
    };
    let first = clause.split(' ').next().unwrap_or_default();
    Some(match (object.kind.as_str(), first) {
        (PRIVILEGES | "default privileges", _) => revoked(clause),
        ("column", _) if clause.ends_with(" as identity") => altering(object, "drop identity"),
        ("column", "generated") => altering(object, "drop expression"),
        ("column", "not") => altering(object, "drop not null"),
        ("column", "default") => altering(object, "drop default"),
        ("column", "statistics") => altering(object, "set statistics -1"),
        ("column", "set") => altering(object, &format!("reset ({})", option(clause)?)),
        ("column", "storage") => {
            altering(object, &format!("set storage {}", clause.rsplit(' ').next().unwrap_or_default()))
        }
        ("column", _) => altering(object, &format!("set {first} default")),
        ("trigger" | "rule", _) => format!("alter table {parent} enable {} {own}", object.kind),
        ("index" | "constraint", "cluster") => format!("alter table {parent} set without cluster"),
        ("index", _) => format!("reindex index {name}"),
        ("constraint", "triggers") => format!("alter table {parent} enable trigger all"),
        ("constraint", _) => format!("reindex table {parent}"),
        ("domain", "constraint") => format!("alter domain {name} drop constraint {}", second(clause)),
        ("domain", "not") => format!("alter domain {name} drop not null"),
        ("domain", _) => format!("alter domain {name} drop {first}"),
        ("type", "attribute") => format!("alter type {name} drop attribute {}", second(clause)),
        ("statistics", _) => format!("alter statistics {name} set statistics -1"),
        (_, "partition") => {
            let of = clause.trim_start_matches("partition of ").split(' ').next().unwrap_or_default();
            format!("alter table {of} detach partition {name}")
        }
        (kind, "set") if clause.starts_with("set (") => {
            format!("alter {kind} {name} reset ({})", option(clause)?)
        }
        (kind, "set") if clause == "set unlogged" => format!("alter {kind} {name} set logged"),
        (kind, "set") => format!("alter {kind} {name} set tablespace pg_default"),
        (kind, "enable") => format!("alter {kind} {name} disable row level security"),
        (kind, "force") => format!("alter {kind} {name} no force row level security"),
        (kind, "replica") => format!("alter {kind} {name} replica identity default"),
        (kind, "inherit") => format!("alter {kind} {name} no {clause}"),
        (kind, "owned") => format!("alter {kind} {name} owned by none"),
        (kind, _) => format!("alter {kind} {name} {clause}"),
    })
}

fn backward_all(object: &Object) -> Vec<String> {
    object.clauses.iter().filter_map(|clause| backward(object, clause)).collect()
}

/// `grant … to …` turned round, also within `alter default privileges`.
fn revoked(grant: &str) -> String {
    let grant = grant.strip_suffix(" with grant option").unwrap_or(grant);
    let revoke = match grant.strip_prefix("grant ") {
        Some(rest) => format!("revoke {rest}"),
        None => grant.replacen(" grant ", " revoke ", 1),
    };
    match revoke.rsplit_once(" to ") {
        Some((before, role)) => format!("{before} from {role}"),
        None => revoke,
    }
}

fn second(clause: &str) -> &str {
    clause.split(' ').nth(1).unwrap_or_default()
}

fn is_table(object: &Object) -> bool {
    object.kind == "table" || object.kind == "foreign table"
}

/// The name of the object that this one belongs to.
fn parent_of(object: &Object) -> &str {
    const KINDS: [&str; 5] = ["foreign table ", "materialized view ", "table ", "view ", "sequence "];
    let parent = object.parent.as_deref().unwrap_or_default();
    KINDS.iter().find_map(|kind| parent.strip_prefix(kind)).unwrap_or(parent)
}

/// The last part of a name that begins with the parent's.
fn own_name(object: &Object) -> &str {
    let rest = object.name.strip_prefix(parent_of(object)).unwrap_or(&object.name);
    rest.strip_prefix('.').unwrap_or(rest)
}

fn joined(sql: &[String]) -> String {
    sql.iter()
        .map(|statement| format!("{};", statement.trim_end().trim_end_matches(';')))
        .collect::<Vec<_>>()
        .join("\n")
}
