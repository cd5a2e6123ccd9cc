//! How a tenant's isolation ranks, and whether there is anything to attack.

use tenantry_protocol::isolation::{Depth, Grade, IsolationBadge};
use tenantry_protocol::tenant::TenantState;

/// The rank of a tenant that held against the whole battery.
pub(super) const WELL: u8 = 5;

/// What needs a person comes first.
pub(crate) const fn rank(badge: Option<&IsolationBadge>) -> u8 {
    match badge {
        Some(badge) => match (badge.grade, badge.depth) {
            (Grade::F, _) => 0,
            (Grade::Other, _) => 1,
            (Grade::B, _) => 3,
            (Grade::A, Depth::Full) => WELL,
            (Grade::A, _) => 4,
        },
        None => 2,
    }
}

/// There is something to attack.
pub(crate) const fn can_verify(state: &TenantState) -> bool {
    state.stage().stands()
}
