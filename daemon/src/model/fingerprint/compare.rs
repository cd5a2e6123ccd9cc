//! Two fingerprints side by side: what is missing, what is extra and what is changed, in an order that does not change.
//!
//! An object whose table is missing or extra is not a difference of its own, and neither are the privileges of such an object:
//! the repair of the whole covers them.

use std::collections::BTreeSet;

use super::{Fingerprint, Object, repair};

/// How an object differs from what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Missing,
    Extra,
    Changed,
}

/// A difference, with [`super::TENANT`] in all texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub change: Change,
    pub kind: String,
    /// For people, without the schema.
    pub name: String,
    /// What the blueprint makes; absent for an extra object.
    pub expected: Option<String>,
    /// What there is; absent for a missing object.
    pub found: Option<String>,
    /// The statements that make it what it should be, or why there are none.
    pub repair: Result<String, String>,
}

impl Difference {
    /// `~ column orders.total`
    pub fn headline(&self) -> String {
        let sign = match self.change {
            Change::Missing => '-',
            Change::Extra => '+',
            Change::Changed => '~',
        };
        format!("{sign} {} {}", self.kind, self.name)
    }
}

/// What `found` has otherwise than `expected`, in an order that does not change.
pub fn compare(expected: &Fingerprint, found: &Fingerprint) -> Vec<Difference> {
    let is_schema = |object: &&Object| object.kind == "schema";
    if let Some(schema) =
        expected.objects().find(is_schema).filter(|_| !found.objects().any(|o| is_schema(&o)))
    {
        // Everything is missing with it.
        return vec![missing(schema, expected)];
    }
    let labels: BTreeSet<&String> = expected.objects.keys().chain(found.objects.keys()).collect();
    let mut differences: Vec<Difference> = labels
        .into_iter()
        .filter_map(|label| match (expected.get(label), found.get(label)) {
            (Some(wanted), None) if stands_alone(wanted, found) => Some(missing(wanted, expected)),
            (None, Some(there)) if stands_alone(there, expected) => Some(extra(there)),
            (Some(wanted), Some(there)) if wanted != there => changed(wanted, there),
            _ => None,
        })
        .collect();
    differences.sort_by(|one, other| (rank(&one.kind), &one.name).cmp(&(rank(&other.kind), &other.name)));
    differences
}

/// What other kinds are made of comes before them, so that most repairs can be run in this order.
fn rank(kind: &str) -> usize {
    const ORDER: [&str; 20] = [
        "schema",
        "default privileges",
        "type",
        "domain",
        "sequence",
        "function",
        "procedure",
        "aggregate",
        "foreign table",
        "table",
        "column",
        "constraint",
        "index",
        "statistics",
        "view",
        "materialized view",
        "trigger",
        "rule",
        "policy",
        "privileges",
    ];
    ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
}

/// Whether the other fingerprint lacks this object alone, and not all that it belongs to. What belongs to a column is the
/// sequence of its identity, and the column says that.
fn stands_alone(object: &Object, other: &Fingerprint) -> bool {
    object.kind != repair::PRIVILEGES
        && object
            .parent
            .as_ref()
            .is_none_or(|parent| other.get(parent).is_some() && !parent.starts_with("column "))
}

fn missing(wanted: &Object, expected: &Fingerprint) -> Difference {
    let repair = repair::create(wanted, &expected.within(&wanted.label()));
    difference(Change::Missing, wanted, Some(wanted.definition()), None, repair)
}

fn extra(there: &Object) -> Difference {
    difference(Change::Extra, there, None, Some(there.definition()), repair::drop(there))
}

fn changed(wanted: &Object, there: &Object) -> Option<Difference> {
    if wanted.body == there.body && wanted.clauses == there.clauses {
        // Only what it comes and goes with is another, and that is a difference itself.
        return None;
    }
    let repair = repair::alter(wanted, there);
    // Of many clauses, those that are the same say nothing.
    let shown = |object: &Object, other: &Object| {
        let mut shown = object.clone();
        if object.body == other.body && object.kind != "type" {
            shown.clauses.retain(|clause| !other.clauses.contains(clause));
            if object.kind != "column" {
                shown.body.clear();
            }
        }
        let text = shown.definition();
        if text.is_empty() { "nothing".to_owned() } else { text }
    };
    let (expected, found) = (shown(wanted, there), shown(there, wanted));
    Some(difference(Change::Changed, wanted, Some(expected), Some(found), repair))
}

fn difference(
    change: Change,
    object: &Object,
    expected: Option<String>,
    found: Option<String>,
    repair: Result<String, String>,
) -> Difference {
    Difference { change, kind: object.kind.clone(), name: object.short_name(), expected, found, repair }
}
