//! What a target has for tenants with databases of their own, once the first of them needed it.

use tenantry_protocol::name::PlacementName;

use super::Target;
use super::location::{Home, Site};

#[derive(Debug)]
pub struct Groundwork {
    /// The database that each of theirs is copied from.
    pub template: String,
    pub canary: CanaryDatabase,
}

/// The database of nobody that such tenants attack, and the way to it.
#[derive(Debug)]
pub struct CanaryDatabase {
    pub placement: PlacementName,
    pub(in crate::postgres) home: Home,
}

impl CanaryDatabase {
    /// Where the provisioner looks whether it has changed.
    pub const fn site<'a>(&'a self, target: &'a Target) -> Site<'a> {
        self.home.on(target)
    }
}
