//! Reads and changes the daemon's bookkeeping on the target.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "bookkeeping",
    meaning: "a tenant learns of all tenants, or makes the daemon drop another",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("select * from tenantry.placement"),
        refused("update tenantry.placement set state = 'removed'"),
        refused("select * from tenantry.migration_history"),
    ],
    remedy: None,
};
