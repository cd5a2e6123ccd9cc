//! Writes the catalog itself.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "catalog_write",
    meaning: "a tenant becomes anybody",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("delete from pg_catalog.pg_authid where false"),
        refused("update pg_catalog.pg_class set relowner = relowner where false"),
    ],
    remedy: None,
};
