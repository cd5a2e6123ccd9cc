//! Reads and writes another tenant's large objects, which are outside any schema.

use super::{Attack, Depth, Probe, Scope, refused, refused_with};

pub(super) const PROBE: Probe = Probe {
    name: "large_object",
    meaning: "a tenant reads or changes another tenant's large objects",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        attack(
            "select lo_get(coalesce((select max(oid) from pg_largeobject_metadata where lomowner = '{victim}'::regrole), 0))",
        ),
        attack(
            "select lo_put(coalesce((select max(oid) from pg_largeobject_metadata where lomowner = '{victim}'::regrole), 0), 0, '\\x00')",
        ),
        refused("select data from pg_largeobject"),
    ],
    remedy: None,
};

/// If nobody can make large objects, the victim has none, and the attack is on one that never exists: 42704
/// (undefined_object).
const fn attack(sql: &'static str) -> Attack {
    refused_with(&["42501", "42704"], sql)
}
