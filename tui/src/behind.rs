//! Which tenants are behind: there is a newer version of their blueprint than the one they have.
//!
//! Invariant: it means the same in the console and on the command line. Pure; the caller passes what is stored.

use std::collections::HashMap;

use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::tenant::{Tenant, TenantState};

/// The newest version of each blueprint.
#[derive(Debug, Default)]
pub(crate) struct NewestVersions(HashMap<BlueprintName, BlueprintVersion>);

impl NewestVersions {
    pub(crate) fn of(blueprints: &[Blueprint]) -> Self {
        let mut versions = Self::default();
        for blueprint in blueprints {
            versions.learn(&blueprint.name, blueprint.version);
        }
        versions
    }

    /// There is this version. Returns whether it is newer than all that were known.
    pub(crate) fn learn(&mut self, name: &BlueprintName, version: BlueprintVersion) -> bool {
        match self.0.get_mut(name) {
            Some(newest) if *newest >= version => false,
            Some(newest) => {
                *newest = version;
                true
            }
            None => {
                self.0.insert(name.clone(), version);
                true
            }
        }
    }

    pub(crate) fn get(&self, name: &BlueprintName) -> Option<BlueprintVersion> {
        self.0.get(name).copied()
    }

    /// The version that the tenant could have; `None` if it has the newest, or is gone.
    pub(crate) fn ahead_of(&self, tenant: &Tenant) -> Option<BlueprintVersion> {
        let is_gone = matches!(tenant.state, TenantState::RolledBack { .. } | TenantState::Retired);
        self.get(&tenant.blueprint).filter(|newest| !is_gone && tenant.version < *newest)
    }
}
