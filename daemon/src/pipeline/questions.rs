//! What is asked of targets outside of any operation: how a tenant has drifted, and how an upgrade would go.
//!
//! Invariant: no tenant is changed.

use std::sync::Arc;

use tenantry_protocol::tenant::Tenant;
use tokio_util::sync::CancellationToken;

use super::drift::{self, Compared, DriftError};
use super::engine::Engine;
use super::rehearsal::{self, RehearsalError, TrialGround};
use super::trial_build::{self, TrialBuild};
use crate::model::blueprint::Blueprint;
use crate::model::operation::Kind;
use crate::model::rehearsal::Rehearsed;
use crate::postgres;
use crate::postgres::target::Target;

impl Engine {
    /// Compares the tenant's objects with what its version makes. It must not be called while the tenant is being made or removed.
    /// The first comparison of a version takes as long as a provision: call this from a task that nobody cancels.
    pub async fn drift(&self, target: &Target, tenant: &Tenant) -> Result<Compared, DriftError> {
        drift::compare_at_a_place(self.control(), self.places(), target, tenant).await
    }

    /// Tries an upgrade on a blank placement, once for two versions on a target. Call this from a task that nobody cancels; it ends
    /// early, and removes the placement, when `stop` is cancelled.
    pub async fn rehearse(
        &self,
        target: &Target,
        from: &Blueprint,
        to: &Blueprint,
        stop: &CancellationToken,
    ) -> Result<Arc<Rehearsed>, RehearsalError> {
        let budget = self.options().budget_of(Kind::Upgrade);
        let ground = TrialGround { control: self.control(), places: self.places(), target, budget, stop };
        rehearsal::rehearse(ground, from, to).await
    }

    /// Builds a version, and rolls it back.
    pub async fn try_build(
        &self,
        target: &Target,
        blueprint: &Blueprint,
        stop: &CancellationToken,
    ) -> postgres::Result<TrialBuild> {
        let budget = self.options().budget;
        let (control, places) = (self.control(), self.places());
        trial_build::try_build(TrialGround { control, places, target, budget, stop }, blueprint).await
    }

    /// Removes what rehearsals of earlier daemons left on a target.
    pub async fn sweep_rehearsals(&self, target: &Target) -> postgres::Result<usize> {
        rehearsal::sweep(self.control(), target).await
    }
}
