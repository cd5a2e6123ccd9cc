//! Claims in settings to be another tenant, as applications do that trust such settings.

use super::shared_views::{READ_ALL, who_am_i};
use super::{Depth, Probe, Scope, sees_after};

pub(super) const PROBE: Probe = Probe {
    name: "shared_context",
    meaning: "a tenant reads other tenants' rows by a setting that anybody may set",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees_after(
        concat!(
            who_am_i!(),
            "set local tenantry.tenant = '{neighbour}'; set local tenantry.tenant_id = '{neighbour}'; set local app.tenant = '{neighbour}'; set local app.tenant_id = '{neighbour}'; set local app.current_tenant = '{neighbour}'; set local rls.tenant_id = '{neighbour}';"
        ),
        READ_ALL,
        "",
    )],
    remedy: None,
};
