//! Reads and writes another tenant's large objects, which stand outside any schema.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "large_object",
    meaning: "a tenant reads or changes another tenant's large objects",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        refused("select lo_get(oid) from pg_largeobject_metadata where lomowner = '{victim}'::regrole"),
        refused(
            "select lo_put(oid, 0, '\\x00') from pg_largeobject_metadata where lomowner = '{victim}'::regrole",
        ),
        refused("select data from pg_largeobject"),
    ],
    remedy: None,
};
