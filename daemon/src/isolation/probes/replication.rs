//! Creates a replication slot, which keeps all changes of all tenants.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "replication",
    meaning: "a tenant reads every change of the server, or fills its disk",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("select pg_create_physical_replication_slot('tenantry_intruder', false, true)")],
    remedy: None,
};
