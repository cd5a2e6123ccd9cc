//! The tenants of one target in an upgrade: who is next, and whether the target answers.

use std::collections::VecDeque;

use tenantry_protocol::id::TenantId;
use tokio::time::Instant;

/// The tenants of one target.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) next: VecDeque<TenantId>,
    pub(super) in_flight: usize,
    /// When it last answered.
    pub(super) alive: Option<Instant>,
    /// Since when it has not answered.
    pub(super) down_since: Option<Instant>,
    /// Nothing begins before.
    pub(super) not_before: Option<Instant>,
}

impl Lane {
    pub(super) fn is_open(&self, width: usize) -> bool {
        self.in_flight < width && self.not_before.is_none_or(|at| at <= Instant::now())
    }
}
