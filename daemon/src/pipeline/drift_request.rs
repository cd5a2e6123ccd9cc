//! The comparison of a tenant that a caller asks for, outside of any operation.
//!
//! It must not be called while the tenant is being made or removed.

use tenantry_protocol::tenant::Tenant;

use super::drift::{self, Compared, DriftError};
use super::engine::Engine;
use crate::postgres::target::Target;

impl Engine {
    /// Compares the tenant's objects with what its version makes. The first comparison of a version takes as long as a provision: call
    /// this from a task that nobody cancels.
    pub async fn drift(&self, target: &Target, tenant: &Tenant) -> Result<Compared, DriftError> {
        drift::compare_at_a_place(self.control(), self.places(), target, tenant).await
    }
}
