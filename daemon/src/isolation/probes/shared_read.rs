//! Reads other tenants' rows in the largest shared tables. That is enough to see that the tenant is tied to its own rows,
//! and each further table costs a provision a millisecond. `shared_views` reads all tables.

use super::{Depth, Probe, Scope, sees_in_each_table};

pub(super) const PROBE: Probe = Probe {
    name: "shared_read",
    meaning: "a tenant reads other tenants' rows in the tables that they share",
    depth: Depth::Core,
    scope: Scope::Shared,
    // In plain SQL: a new session needs more time to load a language than to read the rows.
    attacks: &[sees_in_each_table(
        "select case when exists (select from {pool}.{table} where tenant_id is distinct from tenantry_ext.tenantry_tenant())
                     then 'rows of others' else '' end",
        "",
    )],
    remedy: None,
};
