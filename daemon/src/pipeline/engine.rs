//! Runs operations: each in a tracked task of its own, step by step as [`crate::model::operation`] decides.
//!
//! Invariants: a caller that disconnects cancels nothing. Every end is recorded; otherwise the operation stays unfinished
//! in the registry and is taken over, by this daemon or the next one. A panic in a step is a failure of that step. A daemon
//! that lost the fence stops all its operations at once.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::{Slug, TargetName};
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::audit::Trail;
use crate::model::audit_chain::Actor;
use crate::model::operation::{Action, Event, IllegalEvent, Kind, Progress};
use crate::postgres;
use crate::postgres::control::Control;
use crate::postgres::control::tenants;
use crate::postgres::target::Target;
use crate::postgres::target::marker::Mark;

use super::admission::{Places, TakenPlace};
use super::arguments::OperationArguments;
use super::audit_entries::About;
use super::budget::EngineOptions;
use super::context::{ChangeParts, ChangeRun, ProvisionRun, Run};
use super::driver::Drive;
use super::events::Events;
use super::job::{ChangeJob, ProvisionJob};
use super::record::{self, Intent, OperationOutcome};
use super::tracker::{Cancelling, Claim, Live, millis, waiting_steps};

/// How long a caller who waits for an outcome also waits for the undo.
const COURTESY: Duration = Duration::from_secs(1);
/// The state of an operation as it changes, from its start on.
type Progressing = watch::Receiver<Operation>;

/// An operation that is about to run in this process.
pub(super) struct PendingRun {
    pub(super) claim: Claim,
    pub(super) run: Run,
    pub(super) progress: Progress,
    pub(super) operation: Operation,
    pub(super) actor: Actor,
}

/// Owns the running operations. Clones share them.
#[derive(Debug, Clone)]
pub struct Engine {
    control: Arc<Control>,
    trail: Arc<Trail>,
    events: Arc<Events>,
    live: Arc<Live>,
    tasks: TaskTracker,
    places: Arc<Places>,
    options: EngineOptions,
    /// Cancelled when the fence is lost; each time the fence is acquired, there is a new one.
    term: Arc<RwLock<CancellationToken>>,
}

impl Engine {
    pub fn new(
        trail: Arc<Trail>,
        events: Arc<Events>,
        targets: &[Arc<Target>],
        options: EngineOptions,
    ) -> Self {
        let places = Arc::new(Places::new(targets, options.operations_per_target));
        Self {
            control: Arc::clone(trail.control()),
            trail,
            events,
            live: Arc::default(),
            tasks: TaskTracker::new(),
            places,
            options,
            term: Arc::default(),
        }
    }

    pub(super) const fn trail(&self) -> &Arc<Trail> {
        &self.trail
    }

    pub(super) const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// The tasks that a shutdown waits for.
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub const fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// The current state of a running operation.
    pub fn live(&self, id: OperationId) -> Option<Operation> {
        self.live.get(id).map(|tracker| tracker.snapshot())
    }

    /// Waits for the operation's end, and returns it as it ended. `None` if it does not run here.
    pub async fn end_of(&self, id: OperationId) -> Option<Operation> {
        let mut progress = self.live.get(id)?.subscribe();
        let ended = progress.wait_for(|operation| operation.state.is_final()).await;
        ended.ok().map(|operation| operation.clone())
    }

    pub fn running(&self) -> usize {
        self.live.len()
    }

    /// Another daemon has the fence: it now owns the operations that run here, so no further step of them runs here.
    pub fn let_go(&self) {
        let mut term = self.term.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *term).cancel();
    }

    /// Whether a cancel would take effect now.
    pub fn can_cancel(&self, id: OperationId) -> Cancelling {
        self.live.can_cancel(id)
    }

    /// Asks a running operation to end and to undo what it did.
    pub fn cancel(&self, id: OperationId, by: &Actor) -> Cancelling {
        self.live.cancel(id, &by.name)
    }

    /// Records the intent and starts the operation. Call it from a task that nobody cancels.
    pub async fn provision(&self, job: ProvisionJob<'_>) -> postgres::Result<Operation> {
        let kind = Kind::provision(&job.blueprint, job.seed);
        let operation =
            self.operation(kind, job.tenant.id, &job.tenant.slug, job.target.name().clone(), &job.actor);
        let intent = Intent {
            about: About { operation: &operation, kind, actor: &job.actor, blueprint: job.tenant.made_of() },
            plan_hash: Some(job.plan_hash),
            arguments: &OperationArguments::default(),
            asked: job.asked,
        };
        let mark = Mark { build: operation.id, fence: self.control.may_write()? };
        let claim = self.claim(operation.id)?;
        let recorded = Box::pin(record::intent(&self.trail, &intent, Some(&job.tenant))).await?;
        let run = ProvisionRun::new(mark, job.tenant, job.blueprint, job.target, job.seed);
        let seq = recorded.map_or(0, |recorded| recorded.seq);
        let (run, actor) = (Run::Provision(Box::new(run)), job.actor);
        let work = PendingRun { claim, run, progress: Progress::new(kind), operation, actor };
        let started = self.start(work, seq).await.borrow().clone();
        Ok(started)
    }

    /// Records the intent and starts the change. Returns `None` if the tenant's state does not allow it. Call it from a
    /// task that nobody cancels.
    pub async fn change(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Operation>> {
        let started = self.start_change(job).await?;
        Ok(started.map(|progress| progress.borrow().clone()))
    }

    /// Like [`Self::change`], but waits. Returns the operation as it ended, or as it stands if its undo takes longer than
    /// a moment. An operation that is left to be taken over is returned as it was last seen.
    pub async fn change_and_wait(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Operation>> {
        let Some(mut progress) = self.start_change(job).await? else { return Ok(None) };
        let _ = progress.wait_for(|o| o.state.is_final() || o.state.failure().is_some()).await;
        // After a short wait, a quick undo has finished and does not block the caller's next request.
        let _ =
            tokio::time::timeout(COURTESY, progress.wait_for(|operation| operation.state.is_final())).await;
        Ok(Some(progress.borrow().clone()))
    }

    async fn start_change(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Progressing>> {
        let ChangeJob { actor, kind, tenant, target, build, arguments, secret, asked } = job;
        let operation = self.operation(kind, tenant.id, &tenant.slug, target.name().clone(), &actor);
        let intent = Intent {
            about: About {
                operation: &operation,
                kind,
                actor: &actor,
                blueprint: (&tenant.blueprint, tenant.version),
            },
            plan_hash: None,
            arguments: &arguments,
            asked,
        };
        let mark = Mark { build, fence: self.control.may_write()? };
        let claim = self.claim(operation.id)?;
        let Some(recorded) = Box::pin(record::intent(&self.trail, &intent, None)).await? else {
            return Ok(None);
        };
        let trail = Arc::clone(&self.trail);
        let parts = ChangeParts { id: operation.id, kind, trail, target, arguments, secret };
        let run = ChangeRun::new(mark, tenant, recorded.before, parts);
        let (run, progress) = (Run::Change(Box::new(run)), Progress::new(kind));
        Ok(Some(self.start(PendingRun { claim, run, progress, operation, actor }, recorded.seq).await))
    }

    fn operation(
        &self,
        kind: Kind,
        tenant_id: TenantId,
        slug: &Slug,
        target: TargetName,
        actor: &Actor,
    ) -> Operation {
        Operation {
            id: OperationId::generate(),
            kind: kind.wire(),
            tenant_id,
            slug: slug.clone(),
            target,
            state: OperationState::Queued,
            steps: waiting_steps(kind),
            actor: actor.name.clone(),
            requested_at: OffsetDateTime::now_utc(),
            duration_ms: None,
            budget_ms: u64::try_from(self.options.budget_of(kind).as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Claims an operation before it is on record, so that no other task here takes it for a stranded one.
    pub(super) fn claim(&self, id: OperationId) -> postgres::Result<Claim> {
        self.live.claim(id).ok_or(postgres::Error::Busy)
    }

    async fn start(&self, work: PendingRun, seq: i64) -> Progressing {
        self.announce(&work.operation, seq).await;
        self.spawn(work, false)
    }

    /// Runs the operation. An inherited one is carried on, because its daemon or its task no longer exists.
    pub(super) fn spawn(&self, work: PendingRun, is_inherited: bool) -> Progressing {
        let PendingRun { claim, run, progress, operation, actor } = work;
        let budget = Duration::from_millis(operation.budget_ms);
        let deadline = Instant::now() + budget;
        let used = Duration::try_from(OffsetDateTime::now_utc() - operation.requested_at).unwrap_or_default();
        let tracker = self.live.add(operation, &self.events);
        let progressing = tracker.subscribe();
        let mut drive = Drive {
            run,
            progress,
            actor,
            tracker,
            journal: Vec::new(),
            deadline,
            builds: 0,
            recovered: None,
        };
        let (engine, id) = (self.clone(), drive.tracker.snapshot().id);
        let term = self.term.read().unwrap_or_else(PoisonError::into_inner).clone();
        let picture = drive.tracker.snapshot();
        // At error level, so that these names appear at every log level.
        let span = tracing::error_span!("operation", operation = %id, tenant = %picture.tenant_id, kind = picture.kind.name());
        let running = async move {
            // Released however this ends.
            let _claim = claim;
            let work = async {
                let taken = engine.wait_for_place(&drive).await;
                let _place = drive.run.occupy(taken);
                // An inherited operation has already waited in the queue: its budget runs from the time of the request.
                let left =
                    if is_inherited { drive.least_time().max(budget.saturating_sub(used)) } else { budget };
                drive.deadline = Instant::now() + left;
                Box::pin(engine.advance(&mut drive, is_inherited)).await
            };
            let ended = tokio::select! {
                result = work => result,
                () = term.cancelled() => Err(postgres::Error::Fenced),
            };
            if let Err(error) = ended {
                // The registry still says that it is unfinished; the daemon that has the fence takes it over.
                tracing::error!(error = %error.explain(), "an operation is left to be taken up again");
            }
        };
        self.tasks.spawn(running.instrument(span));
        progressing
    }

    /// Waits for a place on the target, or for a cancel.
    async fn wait_for_place(&self, drive: &Drive) -> Option<TakenPlace> {
        let locks = drive.run.locks()?;
        let target = Arc::clone(drive.run.target());
        tokio::select! {
            taken = self.places.take(&target, locks) => taken,
            _ = drive.tracker.wait_for_cancel() => None,
        }
    }

    async fn advance(&self, drive: &mut Drive, is_inherited: bool) -> postgres::Result<()> {
        if is_inherited {
            Box::pin(self.take_over(drive)).await?;
        } else if drive.tracker.cancelled_by().is_some() {
            drive.apply(Event::Cancelled).map_err(illegal)?;
        }
        if matches!(drive.progress, Progress::Forward { .. }) {
            drive.tracker.set_state(OperationState::Running);
        }
        loop {
            match drive.progress.action() {
                Action::Run(step) => {
                    let event = drive.step(step).await;
                    self.note(drive, event).await?;
                }
                Action::Undo => {
                    let event = drive.undo().await;
                    drive.apply(event).map_err(illegal)?;
                }
                Action::Finish => return self.finish(drive).await,
            }
        }
    }

    /// Writes the latest events to the journal, with the decision about an operation that was taken over.
    pub(super) async fn journal(
        &self,
        drive: &mut Drive,
        build: Option<(TenantId, OperationId)>,
    ) -> postgres::Result<()> {
        let (operation, journal) = (drive.tracker.snapshot(), std::mem::take(&mut drive.journal));
        let recovered = drive.recovered.take();
        let seq = record::journal(&self.trail, &drive.about(&operation), &journal, build, recovered).await?;
        if let Some(seq) = seq {
            self.events.publish(EventBody::Audit { seq });
        }
        Ok(())
    }

    /// Applies an event, and records what must be on record before the next step.
    pub(super) async fn note(&self, drive: &mut Drive, event: Event) -> postgres::Result<()> {
        let is_rebuilt = event == Event::Rebuilt;
        let is_settled = matches!(event, Event::TakenUp { .. });
        drive.apply(event).map_err(illegal)?;
        if is_rebuilt {
            drive.tracker.rewound(drive.progress.kind());
            let build = drive.run.rebuild();
            self.journal(drive, build).await?;
        } else if is_settled {
            drive.show_passed();
        }
        if let Progress::Unwinding { failure, .. } = &drive.progress {
            drive.tracker.set_state(OperationState::Unwinding { failure: failure.clone() });
            self.record(drive, &drive.tracker.snapshot(), false).await?;
            drive.journal.clear();
            drive.recovered = None;
        }
        Ok(())
    }

    async fn finish(&self, drive: &mut Drive) -> postgres::Result<()> {
        // The live state becomes final only once it is recorded; until then, the final state is built here.
        let mut operation = drive.tracker.snapshot();
        operation.duration_ms = Some(millis(drive.tracker.elapsed()));
        operation.state = drive.final_state();
        self.record(drive, &operation, true).await?;
        tracing::info!(state = operation.state.name(), ms = operation.duration_ms, "an operation ended");
        drive.tracker.ended(operation);
        Ok(())
    }

    /// Records the operation's state, and tells watchers.
    async fn record(&self, drive: &Drive, operation: &Operation, is_end: bool) -> postgres::Result<()> {
        let outcome = OperationOutcome {
            about: drive.about(operation),
            before: &drive.run.before(),
            arguments: drive.run.arguments(),
            members: drive.run.members(),
            journal: &drive.journal,
            report: drive.run.report().filter(|_| is_end),
            recovered: drive.recovered,
        };
        let seq = record::outcome(&self.trail, &outcome).await?;
        self.announce(operation, seq).await;
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

pub(super) fn illegal(error: IllegalEvent) -> postgres::Error {
    postgres::Error::Corrupt { what: "the operation's progress", why: error.to_string() }
}
