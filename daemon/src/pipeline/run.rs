//! What a running operation holds between its steps, and the dispatch to the steps.

use std::sync::Arc;

use tenantry_protocol::id::OperationId;
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::name::PlacementName;

use crate::model::blueprint::Blueprint;
use crate::model::operation::Step;
use crate::postgres::removal::Removal;
use crate::postgres::runner::Build;
use crate::postgres::secret::Password;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenants::NewTenant;

use super::step::StepError;
use super::steps;
use super::tracker::Tracker;

/// A provision on its way.
pub(super) struct ProvisionRun {
    pub(super) operation: OperationId,
    pub(super) tenant: NewTenant,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) target: Arc<Target>,
    /// Known once the target was reached, which is part of the first step.
    pub(super) ready: Option<Arc<Ready>>,
    /// The open transaction, between its first step and its last.
    pub(super) build: Option<Build>,
    /// Lets the probe in while it attacks; made anew for each run, kept nowhere.
    pub(super) probe: Password,
    pub(super) report: Option<IsolationReport>,
}

/// A removal on its way.
pub(super) struct RollbackRun {
    pub(super) target: Arc<Target>,
    /// The operation that built the tenant: its marker says what is ours.
    pub(super) provision: OperationId,
    pub(super) placement: PlacementName,
}

/// An operation on its way.
pub(super) enum Run {
    Provision(Box<ProvisionRun>),
    Rollback(RollbackRun),
}

impl Run {
    pub(super) async fn step(&mut self, step: Step, tracker: &Tracker) -> Result<(), StepError> {
        match self {
            Self::Provision(run) => run.step(step, tracker).await,
            Self::Rollback(run) => steps::removal::run(run, step, tracker).await,
        }
    }

    /// Gives an open transaction up, so that nothing of it lingers while the operation unwinds.
    pub(super) async fn abandon(&mut self) {
        if let Self::Provision(run) = self
            && let Some(build) = run.build.take()
        {
            build.abandon(&run.target).await;
        }
    }

    /// Removes whatever the operation may have left on its target; can be done again.
    pub(super) async fn undo(&mut self) -> Result<(), StepError> {
        self.abandon().await;
        let (target, provision, placement) = match self {
            Self::Provision(run) => (&run.target, run.operation, &run.tenant.placement),
            Self::Rollback(run) => (&run.target, run.provision, &run.placement),
        };
        let ready = target.ready().await?;
        let (removal, settled) = Removal::begin(target, &ready, provision, placement).await?;
        steps::removal::all(&removal, settled).await
    }

    /// The isolation report, if there is one.
    pub(super) fn report(&self) -> Option<&IsolationReport> {
        match self {
            Self::Provision(run) => run.report.as_ref(),
            Self::Rollback(_) => None,
        }
    }
}

impl ProvisionRun {
    async fn step(&mut self, step: Step, tracker: &Tracker) -> Result<(), StepError> {
        match step {
            Step::Roles => steps::roles::run(self).await,
            Step::Schema => steps::schema::run(self).await,
            Step::Migrations => steps::migrations::run(self, tracker).await,
            Step::Seed => steps::seed::run(self, tracker).await,
            Step::Commit => steps::commit::run(self).await,
            Step::Verify => steps::verify::run(self, tracker).await,
            Step::Activate => steps::activate::run(self).await,
            Step::CloseLogins
            | Step::EndSessions
            | Step::DropObjects
            | Step::DropRoles
            | Step::ConfirmAbsence => Err(misplaced(step)),
        }
    }

    /// The open transaction of the build.
    pub(super) fn open_build(&mut self) -> Result<&mut Build, StepError> {
        self.build.as_mut().ok_or_else(|| misplaced(Step::Roles))
    }

    pub(super) async fn ready(&mut self) -> Result<Arc<Ready>, StepError> {
        if let Some(ready) = &self.ready {
            return Ok(Arc::clone(ready));
        }
        let ready = self.target.ready().await?;
        self.ready = Some(Arc::clone(&ready));
        Ok(ready)
    }
}

/// A step that ran where it does not belong: a bug in the list of steps, answered like any failure.
pub(super) fn misplaced(step: Step) -> StepError {
    crate::postgres::Error::Refused(format!("the step {} does not belong here", step.name())).into()
}
