//! The order in which tenants are shown: by one column, forwards or backwards.
//! Pure. Equal rows keep the order of their names, so that no row jumps without a reason.

use std::cmp::Ordering;

use tenantry_protocol::tenant::{Tenant, TenantState};

use super::verdict;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Column {
    #[default]
    Tenant,
    State,
    Blueprint,
    Target,
    Isolation,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    #[default]
    Forwards,
    Backwards,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sort {
    pub(crate) column: Column,
    pub(crate) direction: Direction,
}

impl Sort {
    /// Sorts by the next column; each begins with what people usually look for in it.
    pub(crate) const fn next(self) -> Self {
        let column = match self.column {
            Column::Tenant => Column::State,
            Column::State => Column::Blueprint,
            Column::Blueprint => Column::Target,
            Column::Target => Column::Isolation,
            Column::Isolation => Column::Last,
            Column::Last => Column::Tenant,
        };
        Self { column, direction: Direction::Forwards }
    }

    pub(crate) const fn reversed(self) -> Self {
        let direction = match self.direction {
            Direction::Forwards => Direction::Backwards,
            Direction::Backwards => Direction::Forwards,
        };
        Self { column: self.column, direction }
    }

    pub(crate) const fn arrow(self) -> &'static str {
        match self.direction {
            Direction::Forwards => "▲",
            Direction::Backwards => "▼",
        }
    }

    /// Compares two tenants, each with its place by name.
    pub(crate) fn compare(
        self,
        (a, by_name_a): (&Tenant, usize),
        (b, by_name_b): (&Tenant, usize),
    ) -> Ordering {
        let by_column = match self.column {
            Column::Tenant => by_name_a.cmp(&by_name_b),
            Column::State => rank(&a.state).cmp(&rank(&b.state)),
            Column::Blueprint => (&a.blueprint, a.version).cmp(&(&b.blueprint, b.version)),
            Column::Target => a.target.cmp(&b.target),
            // The worst first, as on the screen of the whole fleet; tenants that cannot have a verdict come last.
            Column::Isolation => isolation_rank(a).cmp(&isolation_rank(b)),
            Column::Last => since(b).cmp(&since(a)),
        };
        let directed = match self.direction {
            Direction::Forwards => by_column,
            Direction::Backwards => by_column.reverse(),
        };
        directed.then(by_name_a.cmp(&by_name_b))
    }
}

/// What needs a person comes first, what is over comes last.
const fn rank(state: &TenantState) -> u8 {
    match state {
        TenantState::NeedsAttention { .. } => 0,
        TenantState::Provisioning => 1,
        TenantState::RollingBack | TenantState::Retiring { .. } => 2,
        TenantState::Suspended => 3,
        TenantState::Active => 4,
        TenantState::RolledBack { .. } => 5,
        TenantState::Retired => 6,
        TenantState::Other => 7,
    }
}

fn isolation_rank(tenant: &Tenant) -> (bool, u8) {
    (!verdict::can_verify(&tenant.state), verdict::rank(tenant.isolation.as_ref()))
}

fn since(tenant: &Tenant) -> Option<time::OffsetDateTime> {
    tenant.last_operation.as_ref().map(|last| last.requested_at)
}
