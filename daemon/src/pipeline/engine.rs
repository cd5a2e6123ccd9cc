//! Runs operations: each in a tracked task of its own, step by step as [`crate::model::operation`] decides.
//!
//! Invariants: nothing here is cancelled by a caller that goes away; every end is recorded, or the operation stays
//! unfinished in the registry for the next start to take up; a panic in a step is a failure of that step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::TargetName;
use tenantry_protocol::operation::{Failure, Operation, OperationKind, OperationState};
use tenantry_protocol::tenant::Tenant;
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::model::blueprint::Blueprint;
use crate::model::operation::{Action, IllegalEvent, Kind, Progress, Seeding};
use crate::postgres::control::Control;
use crate::postgres::operations::IdempotencyKey;
use crate::postgres::secret::Password;
use crate::postgres::target::Target;
use crate::postgres::tenants::NewTenant;
use crate::postgres::{self, tenants};

use super::drive::Drive;
use super::events::Events;
use super::record::{self, Intent, Outcome};
use super::run::{ProvisionRun, RollbackRun, Run};
use super::tracker::{Live, millis, waiting_steps};

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub uid: u32,
    /// `ops1 (uid 1003)`
    pub name: String,
}

/// What an engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    pub budget: Duration,
    pub operations_per_target: usize,
}

/// A tenant to be made; everything in it was checked.
#[derive(Debug)]
pub struct ProvisionJob<'a> {
    pub actor: Actor,
    pub tenant: NewTenant,
    pub blueprint: Arc<Blueprint>,
    pub target: Arc<Target>,
    pub seed: Seeding,
    pub plan_hash: &'a str,
    pub key: Option<IdempotencyKey<'a>>,
}

/// A tenant to be removed.
#[derive(Debug)]
pub struct RollbackJob<'a> {
    pub actor: Actor,
    pub tenant: &'a Tenant,
    pub target: Arc<Target>,
    /// The operation that built it.
    pub provision: OperationId,
    pub key: Option<IdempotencyKey<'a>>,
}

/// Owns the running operations. Clones share them.
#[derive(Debug, Clone)]
pub struct Engine {
    control: Arc<Control>,
    events: Arc<Events>,
    live: Arc<Live>,
    tasks: TaskTracker,
    permits: Arc<HashMap<TargetName, Arc<Semaphore>>>,
    options: EngineOptions,
}

impl Engine {
    pub fn new(
        control: Arc<Control>,
        events: Arc<Events>,
        targets: &[Arc<Target>],
        options: EngineOptions,
    ) -> Self {
        let permits = targets
            .iter()
            .map(|target| (target.name().clone(), Arc::new(Semaphore::new(options.operations_per_target))))
            .collect();
        let live = Arc::new(Live::default());
        Self { control, events, live, tasks: TaskTracker::new(), permits: Arc::new(permits), options }
    }

    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    /// Tasks that a shutdown waits for.
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub const fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// The live picture of a running operation.
    pub fn live(&self, id: OperationId) -> Option<Operation> {
        self.live.get(id).map(|tracker| tracker.snapshot())
    }

    pub fn running(&self) -> usize {
        self.live.len()
    }

    /// Records the intent and starts the operation. Call it from a task that nobody cancels.
    pub async fn provision(&self, job: ProvisionJob<'_>) -> postgres::Result<Operation> {
        let kind = Kind::Provision { seed: job.seed };
        let target = job.target.name().clone();
        let operation = self.operation(
            OperationKind::Provision,
            kind,
            job.tenant.id,
            &job.tenant.slug,
            target,
            &job.actor,
        );
        let intent = Intent {
            operation: &operation,
            kind,
            actor: &job.actor,
            plan_hash: Some(job.plan_hash),
            key: job.key,
        };
        let seq = record::begin_provision(&self.control, &intent, &job.tenant).await?;
        let run = Run::Provision(Box::new(ProvisionRun {
            operation: operation.id,
            tenant: job.tenant,
            blueprint: job.blueprint,
            target: job.target,
            ready: None,
            build: None,
            probe: Password::generate(),
            report: None,
        }));
        Ok(self.start(run, kind, operation, job.actor, seq).await)
    }

    /// Records the intent and starts the removal; `None` if the tenant is in no state for it. Call it from a task that
    /// nobody cancels.
    pub async fn rollback(&self, job: RollbackJob<'_>) -> postgres::Result<Option<Operation>> {
        let target = job.target.name().clone();
        let tenant = job.tenant;
        let operation = self.operation(
            OperationKind::Rollback,
            Kind::Rollback,
            tenant.id,
            &tenant.slug,
            target,
            &job.actor,
        );
        let intent = Intent {
            operation: &operation,
            kind: Kind::Rollback,
            actor: &job.actor,
            plan_hash: None,
            key: job.key,
        };
        let Some(seq) = record::begin_rollback(&self.control, &intent).await? else {
            return Ok(None);
        };
        let run = Run::Rollback(RollbackRun {
            target: job.target,
            provision: job.provision,
            placement: tenant.placement.clone(),
        });
        Ok(Some(self.start(run, Kind::Rollback, operation, job.actor, seq).await))
    }

    fn operation(
        &self,
        wire: OperationKind,
        kind: Kind,
        tenant_id: TenantId,
        slug: &tenantry_protocol::name::Slug,
        target: TargetName,
        actor: &Actor,
    ) -> Operation {
        Operation {
            id: OperationId::generate(),
            kind: wire,
            tenant_id,
            slug: slug.clone(),
            target,
            state: OperationState::Queued,
            steps: waiting_steps(kind),
            actor: actor.name.clone(),
            requested_at: OffsetDateTime::now_utc(),
            duration_ms: None,
            budget_ms: u64::try_from(self.options.budget.as_millis()).unwrap_or(u64::MAX),
        }
    }

    async fn start(&self, run: Run, kind: Kind, operation: Operation, actor: Actor, seq: i64) -> Operation {
        self.announce(&operation, seq).await;
        self.resume(run, Progress::new(kind), operation.clone(), actor);
        operation
    }

    /// Runs an operation whose intent is on record, from `progress` on.
    pub(super) fn resume(&self, run: Run, progress: Progress, operation: Operation, actor: Actor) {
        let tracker = self.live.add(operation, &self.events);
        let deadline = Instant::now() + self.options.budget;
        let drive = Drive { run, progress, actor, tracker, journal: Vec::new(), deadline };
        let engine = self.clone();
        self.tasks.spawn(async move { engine.drive(drive).await });
    }

    /// Runs one operation to its end.
    async fn drive(&self, mut drive: Drive) {
        let id = drive.tracker.snapshot().id;
        let target = drive.tracker.snapshot().target;
        // A target that left the configuration has no permits; its operations find it unreachable by themselves.
        let _permit = match self.permits.get(&target) {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        drive.deadline = Instant::now() + self.options.budget;
        if matches!(drive.progress, Progress::Forward { .. }) {
            drive.tracker.set_state(OperationState::Running);
        }
        if let Err(error) = self.advance(&mut drive).await {
            // The registry still says that it is unfinished; the next start takes it up.
            tracing::error!(operation = %id, error = %error.explain(), "an operation could not be recorded");
        }
        self.live.remove(id);
    }

    async fn advance(&self, drive: &mut Drive) -> postgres::Result<()> {
        loop {
            match drive.progress.action() {
                Action::Run(step) => {
                    let event = drive.step(step).await;
                    drive.apply(event).map_err(illegal)?;
                    if let Progress::Unwinding { failure, .. } = &drive.progress {
                        drive.tracker.set_state(OperationState::Unwinding { failure: failure.clone() });
                        let journal = std::mem::take(&mut drive.journal);
                        let operation = drive.tracker.snapshot();
                        let outcome = Outcome {
                            operation: &operation,
                            actor: &drive.actor,
                            journal: &journal,
                            report: None,
                        };
                        let seq = record::outcome(&self.control, &outcome).await?;
                        self.announce(&operation, seq).await;
                    }
                }
                Action::Undo => {
                    let event = drive.undo().await;
                    drive.apply(event).map_err(illegal)?;
                }
                Action::Finish => return self.finish(drive).await,
            }
        }
    }

    async fn finish(&self, drive: &mut Drive) -> postgres::Result<()> {
        // The picture is final only once it is recorded; until then the record gets it from here.
        let mut operation = drive.tracker.snapshot();
        operation.duration_ms = Some(millis(drive.tracker.elapsed()));
        operation.state = final_state(&drive.progress, operation.slug.as_str());
        let journal = std::mem::take(&mut drive.journal);
        let report = drive.run.report();
        let outcome = Outcome { operation: &operation, actor: &drive.actor, journal: &journal, report };
        let seq = record::outcome(&self.control, &outcome).await?;
        tracing::info!(operation = %operation.id, kind = operation.kind.name(), state = operation.state.name(),
            ms = operation.duration_ms, "an operation ended");
        self.announce(&operation, seq).await;
        drive.tracker.ended(operation);
        Ok(())
    }

    /// Tells watchers what a committed record changed.
    async fn announce(&self, operation: &Operation, seq: i64) {
        match tenants::by_id(self.control.pool(), operation.tenant_id).await {
            Ok(Some(tenant)) => self.events.publish(EventBody::Tenant { tenant: Box::new(tenant) }),
            Ok(None) => {}
            Err(error) => tracing::warn!(error = %error.explain(), "a changed tenant could not be read back"),
        }
        self.events.publish(EventBody::Audit { seq });
    }
}

fn illegal(error: IllegalEvent) -> postgres::Error {
    postgres::Error::Corrupt { what: "the operation's progress", why: error.to_string() }
}

fn final_state(progress: &Progress, slug: &str) -> OperationState {
    match progress {
        Progress::RolledBack { failure, .. } => OperationState::RolledBack { failure: failure.clone() },
        Progress::NeedsAttention { failure, left, .. } => OperationState::NeedsAttention {
            failure: Failure { hint: None, ..failure.clone() },
            left: left.clone(),
            next_command: format!("tenantry tenant rollback {slug} --confirm {slug} --discard-data"),
        },
        _ => OperationState::Succeeded,
    }
}
