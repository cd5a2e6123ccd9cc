//! What a target has for tenants with databases of their own, once the first of them has needed it.

use tenantry_protocol::name::PlacementName;

use super::Target;
use super::location::{Home, Site};

#[derive(Debug)]
pub struct Groundwork {
    /// The database that each of their databases is copied from.
    pub template: String,
    pub canary: CanaryDatabase,
}

/// The database that such tenants attack, which belongs to no tenant, and how to reach it.
#[derive(Debug)]
pub struct CanaryDatabase {
    pub placement: PlacementName,
    pub(in crate::postgres) home: Home,
}

impl CanaryDatabase {
    /// Where the provisioner checks whether the canary has changed.
    pub const fn site<'a>(&'a self, target: &'a Target) -> Site<'a> {
        self.home.on(target)
    }
}
