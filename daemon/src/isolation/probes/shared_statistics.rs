//! Reads the samples that the planner keeps of the shared tables.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_statistics",
    meaning: "a tenant reads other tenants' values in the statistics",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees(
        r#"select count(*)::text from pg_stats where schemaname = '{pool}' and attname <> 'tenant_id'"#,
        "0",
    )],
    remedy: None,
};
