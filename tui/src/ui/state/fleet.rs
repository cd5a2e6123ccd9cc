//! The isolation of all tenants: how many have which grade, and those that need attention, worst first.
//!
//! Invariant: the selection is a tenant's id, and the selected tenant stays on the list when it holds again. Without a
//! selection the worst tenant is selected, whichever that is.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::{Depth, Grade};
use tenantry_protocol::tenant::Tenant;

use super::State;
use super::verdict::{self, WELL, rank};

#[derive(Debug, Default)]
pub(crate) struct FleetScreen {
    /// `None` selects the worst tenant, so that the selection stays on the worst one.
    pub(crate) selection: Option<TenantId>,
}

/// Active and suspended tenants, counted by their newest verdict.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) standing: usize,
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) f: usize,
    /// With a grade that this release does not know.
    pub(crate) other: usize,
    pub(crate) never: usize,
    /// Verified when they were provisioned, and not by the whole battery since.
    pub(crate) core: usize,
    /// Those that need attention.
    pub(crate) wanting: usize,
}

pub(crate) fn counts(state: &State) -> Counts {
    let mut counts = Counts::default();
    for tenant in state.tenants.rows().iter().filter(|tenant| verdict::can_verify(&tenant.state)) {
        counts.standing += 1;
        counts.wanting += usize::from(rank(tenant.isolation.as_ref()) < WELL);
        let Some(badge) = &tenant.isolation else {
            counts.never += 1;
            continue;
        };
        match badge.grade {
            Grade::A => counts.a += 1,
            Grade::B => counts.b += 1,
            Grade::F => counts.f += 1,
            Grade::Other => counts.other += 1,
        }
        if badge.depth != Depth::Full {
            counts.core += 1;
        }
    }
    counts
}

impl FleetScreen {
    pub(crate) fn selected<'a>(&self, state: &'a State) -> Option<&'a Tenant> {
        let chosen = self.selection.and_then(|id| state.tenants.get(id));
        // Among equally bad tenants, the first by name.
        let wants = state.tenants.rows().iter().filter(|tenant| wants(tenant));
        chosen.or_else(|| wants.min_by_key(|tenant| rank(tenant.isolation.as_ref())))
    }
}

fn wants(tenant: &Tenant) -> bool {
    verdict::can_verify(&tenant.state) && rank(tenant.isolation.as_ref()) < WELL
}

/// Active and suspended tenants that are not known to be wholly isolated, worst first, and the selected one in any case.
pub(crate) fn wanting(state: &State, selection: Option<TenantId>) -> Vec<&Tenant> {
    let rows = state.tenants.rows().iter();
    let mut wanting: Vec<&Tenant> =
        rows.filter(|tenant| Some(tenant.id) == selection || wants(tenant)).collect();
    // The sort is stable: equally bad tenants stay ordered by name.
    wanting.sort_by_key(|tenant| rank(tenant.isolation.as_ref()));
    wanting
}
