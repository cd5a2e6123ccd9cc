//! Locks the catalog.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "catalog_lock",
    meaning: "a tenant stops everybody, and all logins",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("lock table pg_catalog.pg_class in access exclusive mode"),
        refused("lock table pg_catalog.pg_authid in access exclusive mode"),
    ],
    remedy: None,
};
