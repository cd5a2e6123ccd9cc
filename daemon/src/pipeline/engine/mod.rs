//! Runs operations: each in a tracked task of its own, step by step as [`crate::model::operation`] decides.
//!
//! Invariants: a caller that disconnects cancels nothing. Every end is recorded; otherwise the operation stays unfinished
//! in the registry and is taken over, by this daemon or the next one. A panic in a step is a failure of that step. A daemon
//! that lost the fence stops all its operations at once.

mod begin;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::Tenant;
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::audit::Trail;
use crate::model::audit_chain::Actor;
use crate::model::operation::{Action, Event, IllegalEvent, Progress};
use crate::postgres;
use crate::postgres::control::Control;
use crate::postgres::control::tenants;
use crate::postgres::target::Target;

use crate::pipeline::admission::{Places, TakenPlace};
use crate::pipeline::budget::EngineOptions;
use crate::pipeline::context::Run;
use crate::pipeline::driver::Drive;
use crate::pipeline::events::Events;
use crate::pipeline::record::together::Endings;
use crate::pipeline::record::{self, OperationOutcome};
use crate::pipeline::tracker::{Cancelling, Claim, Live, millis};

/// How long a caller who waits for an outcome also waits for the undo.
const COURTESY: Duration = Duration::from_secs(1);
/// The state of an operation as it changes, from its start on.
type Progressing = watch::Receiver<Operation>;

/// An operation that is about to run in this process.
pub(in crate::pipeline) struct PendingRun {
    pub(in crate::pipeline) claim: Claim,
    pub(in crate::pipeline) run: Run,
    pub(in crate::pipeline) progress: Progress,
    pub(in crate::pipeline) operation: Operation,
    pub(in crate::pipeline) actor: Actor,
    /// Where the operation waits before it asks for a place on the target.
    pub(in crate::pipeline) lane: Option<Arc<Semaphore>>,
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
    endings: Arc<Endings>,
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
            endings: Arc::default(),
            options,
            term: Arc::default(),
        }
    }

    pub(in crate::pipeline) const fn trail(&self) -> &Arc<Trail> {
        &self.trail
    }

    pub(in crate::pipeline) const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub(in crate::pipeline) fn places(&self) -> &Places {
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

    /// Claims an operation before it is on record, so that no other task here takes it for a stranded one.
    pub(in crate::pipeline) fn claim(&self, id: OperationId) -> postgres::Result<Claim> {
        self.live.claim(id).ok_or(postgres::Error::Busy)
    }

    /// Runs the operation. An inherited one is carried on, because its daemon or its task no longer exists.
    pub(in crate::pipeline) fn spawn(&self, work: PendingRun, is_inherited: bool) -> Progressing {
        let PendingRun { claim, run, progress, operation, actor, lane } = work;
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
            place: None,
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
                let taken = engine.wait_for_place(&drive, lane).await;
                drive.place = drive.run.occupy(taken);
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
    async fn wait_for_place(&self, drive: &Drive, lane: Option<Arc<Semaphore>>) -> Option<TakenPlace> {
        let locks = drive.run.locks()?;
        let target = Arc::clone(drive.run.target());
        tokio::select! {
            taken = self.places.take(&target, locks, lane) => taken,
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
    pub(in crate::pipeline) async fn journal(
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
    pub(in crate::pipeline) async fn note(&self, drive: &mut Drive, event: Event) -> postgres::Result<()> {
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
        // Nothing of it runs on the target any more.
        (drive.place, _) = (None, drive.run.leave_room());
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
        let together = if is_end { self.endings.record(&self.trail, &outcome).await } else { None };
        if let Some(recorded) = together {
            self.announce_all(&recorded.tenants, &recorded.seqs).await;
            return Ok(());
        }
        let recorded = record::outcome(&self.trail, &outcome).await?;
        self.announce(operation, recorded.seq, recorded.tenant).await;
        Ok(())
    }

    /// Tells watchers what a committed record changed. The tenant is read if it is not given.
    async fn announce(&self, operation: &Operation, seq: i64, tenant: Option<Tenant>) {
        let Some(tenant) = tenant else {
            return self.announce_all(&[operation.tenant_id], &[seq]).await;
        };
        self.events.publish(EventBody::Tenant { tenant: Box::new(tenant) });
        self.events.publish(EventBody::Audit { seq });
    }

    async fn announce_all(&self, changed: &[TenantId], seqs: &[i64]) {
        if changed.is_empty() {
            return;
        }
        match tenants::by_ids(self.control.pool(), changed).await {
            Ok(tenants) => {
                for tenant in tenants {
                    self.events.publish(EventBody::Tenant { tenant: Box::new(tenant) });
                }
            }
            Err(error) => tracing::warn!(error = %error.explain(), "a changed tenant could not be read back"),
        }
        for seq in seqs {
            self.events.publish(EventBody::Audit { seq: *seq });
        }
    }
}

pub(in crate::pipeline) fn illegal(error: IllegalEvent) -> postgres::Error {
    postgres::Error::Corrupt { what: "the operation's progress", why: error.to_string() }
}
