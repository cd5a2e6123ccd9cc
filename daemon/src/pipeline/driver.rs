//! Drives one operation: runs each step, repeats a step whose error can pass, and undoes the operation when a step fails.
//!
//! Invariant: however a step ends (an error, a panic, a timeout, a cancel), its end becomes an event of the state machine in
//! [`crate::model::operation`]. If the transaction of a build fails, the row that it inserted on the target, its marker, says
//! whether it was committed, and that is asked before anything else happens.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tenantry_protocol::operation::{Failure, Operation, OperationState};

use crate::fault;
use crate::model::operation::{Event, IllegalEvent, Progress, Step, left};
use crate::postgres::target::settlement::Settled;

use super::admission::TakenPlace;
use super::audit_entries::About;
use super::audit_entries::Recovered;
use super::backoff::Patience;
use super::context::Run;
use super::step_error::{Outlook, StepError};
use super::steps::{self, Attempt};
use super::tracker::Tracker;
use crate::model::audit_chain::Actor;

/// An undo gets at least this much time, however little of the budget is left.
const LEAST_UNDO_TIME: Duration = Duration::from_secs(30);
/// Attempts of an undo that fails with an error that may or may not be temporary.
const MOST_DOUBTS: u32 = 5;
/// Builds of one operation after a temporary error. A server that is unreachable is waited for until the budget ends.
const MOST_BUILDS: u32 = 5;

pub(super) struct Drive {
    pub(super) run: Run,
    pub(super) progress: Progress,
    pub(super) actor: Actor,
    pub(super) tracker: Arc<Tracker>,
    /// Its place on the target, if nothing within the operation has it.
    pub(super) place: Option<TakenPlace>,
    /// What happened since the journal was last written.
    pub(super) journal: Vec<Event>,
    /// The end of the budget; the time that the operation waits in the queue does not count.
    pub(super) deadline: Instant,
    pub(super) builds: u32,
    /// The decision made when the operation was taken over, until it is on record.
    pub(super) recovered: Option<Recovered>,
}

impl Drive {
    /// How the trail describes it; `operation` is the state to be recorded.
    pub(super) fn about<'a>(&'a self, operation: &'a Operation) -> About<'a> {
        let (kind, actor) = (self.progress.kind(), &self.actor);
        About { operation, kind, actor, blueprint: self.run.made_of() }
    }

    /// Takes note of an event.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), IllegalEvent> {
        self.journal.push(event.clone());
        self.progress = self.progress.clone().apply(event)?;
        Ok(())
    }

    /// Shows the steps that turned out to be complete as done.
    pub(super) fn show_passed(&self) {
        if let Progress::Forward { done, .. } = self.progress {
            self.tracker.passed(done);
        }
    }

    /// Runs a step until it succeeds or fails.
    pub(super) async fn step(&mut self, step: Step) -> Event {
        let begin = Instant::now();
        let tracker = Arc::clone(&self.tracker);
        if let Some(by) = tracker.cancelled_by()
            && self.progress.has_way_back()
        {
            return Event::Interrupted { failure: StepError::Cancelled { by }.failure(step) };
        }
        tracker.started(step);
        let error = match self.attempt(step).await {
            Ok(()) => {
                tracker.done(step, begin.elapsed());
                return Event::StepDone { step };
            }
            Err(error) => error,
        };
        let failure = error.failure(step);
        tracing::warn!(step = step.name(), error = %failure.summary(), "a step failed");
        if step.is_atomic()
            && error.is_passing()
            && let Some(event) = self.build_again(step, &error).await
        {
            return event;
        }
        self.run.abandon().await;
        tracker.failed(step, begin.elapsed());
        tracker.log(format!("{} failed: {}", step.name(), failure.summary()));
        Event::StepFailed { step, failure }
    }

    /// Handles a temporary error of a build: asks the marker, and starts another build if the first was not committed.
    /// Returns `None` if the operation has no time left for that.
    async fn build_again(&mut self, step: Step, error: &StepError) -> Option<Event> {
        self.builds += 1;
        if self.builds >= MOST_BUILDS && !error.is_unreachable() {
            return None;
        }
        self.tracker.log(format!("{} failed: {error}; the build is tried again", step.name()));
        let mut patience = Patience::lasting(self.time_left());
        while patience.pause().await && self.tracker.cancelled_by().is_none() {
            match fault::around("settle", self.run.settle()).await {
                Ok(Settled::Committed) => return Some(Event::TakenUp { committed: true }),
                Ok(Settled::Void) => return self.make_room(error).await.then_some(Event::Rebuilt),
                Err(error) if error.is_passing() => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// Waits, after a temporary error of a build, until there is room for another one. Returns false if there was no room
    /// within the operation's time, or if the operation was cancelled.
    async fn make_room(&mut self, error: &StepError) -> bool {
        let held = error.crowded();
        if held.is_some() {
            // Other operations wait for the locks that this build holds.
            self.run.abandon().await;
        }
        let (tracker, left) = (Arc::clone(&self.tracker), self.time_left());
        tokio::select! {
            made = tokio::time::timeout(left, self.run.make_room(held)) => made.is_ok(),
            _ = tracker.wait_for_cancel() => false,
        }
    }

    /// The first event for an operation that another daemon began.
    pub(super) async fn take_up(&mut self) -> Event {
        let is_build = matches!(self.run, Run::Provision(_));
        let mut patience = Patience::lasting(self.time_left().max(LEAST_UNDO_TIME));
        if !is_build || !matches!(self.progress, Progress::Forward { .. }) {
            // The steps that follow ask the marker themselves, as often as needed. Asking it here only spares them the
            // wait for the previous daemon.
            if let Err(error) = self.run.settle().await {
                self.tracker.log(format!("the marker cannot be asked yet: {error}"));
            }
            return Event::TakenUp { committed: self.is_being_removed(&mut patience).await };
        }
        loop {
            match fault::around("settle", self.run.settle()).await {
                Ok(settled) => return Event::TakenUp { committed: settled == Settled::Committed },
                Err(error) if error.is_passing() && patience.pause().await => {}
                Err(error) => return Event::Interrupted { failure: error.failure(Step::Roles) },
            }
        }
    }

    /// Whether the operation taken over is a removal that has begun. If that cannot be determined, the removal starts over,
    /// and its steps meet the problem themselves.
    async fn is_being_removed(&self, patience: &mut Patience) -> bool {
        if !matches!(self.progress, Progress::Forward { .. }) {
            return false;
        }
        loop {
            match self.run.is_being_removed().await {
                Ok(answer) => return answer,
                Err(error) if error.is_passing() && patience.pause().await => {}
                Err(error) => {
                    self.tracker.log(format!("the marker does not say how far it came: {error}"));
                    return false;
                }
            }
        }
    }

    /// Repeats the undo until it succeeds, its time is over, or no further attempt can succeed.
    pub(super) async fn undo(&mut self) -> Event {
        let mut patience = Patience::lasting(self.time_left().max(LEAST_UNDO_TIME));
        let mut doubts = 0;
        loop {
            let result = match AssertUnwindSafe(steps::undo(&mut self.run)).catch_unwind().await {
                Ok(result) => result,
                Err(_panic) => Err(StepError::Panicked),
            };
            if let Err(StepError::FoundDone) = result {
                self.tracker.passed(self.progress.kind().steps().len());
                self.tracker.log("everything was committed before".to_owned());
                return Event::FoundDone;
            }
            let Err(error) = result else {
                self.tracker.undone();
                self.tracker.log("undone: everything is as it was before".to_owned());
                return Event::Undone;
            };
            self.tracker.log(format!("the undo failed: {error}"));
            let outlook = error.outlook();
            doubts += u32::from(outlook == Outlook::Open);
            if outlook == Outlook::ForGood || doubts >= MOST_DOUBTS || !patience.pause().await {
                let (failure, kind) = (error.failure(Step::ConfirmAbsence), self.progress.kind());
                tracing::warn!(error = %failure.summary(), "an undo failed for good and needs a person");
                return Event::Stuck { failure, left: left::of_undo(kind).to_owned() };
            }
        }
    }

    /// Runs one step within the budget. A repeatable step is tried again after a temporary fault.
    async fn attempt(&mut self, step: Step) -> Result<(), StepError> {
        let mut patience = Patience::lasting(self.time_left());
        let tracker = Arc::clone(&self.tracker);
        // A commit that is cancelled may still have happened, and data that is being dropped cannot be brought back.
        let can_be_given_up = step != Step::Commit && !step.is_final();
        let mut last: Option<StepError> = None;
        loop {
            let left = self.time_left();
            let attempt = Attempt { tracker: &tracker, left };
            let work = fault::around(step.name(), steps::run(&mut self.run, step, attempt));
            let work = AssertUnwindSafe(work).catch_unwind();
            let result = tokio::select! {
                result = tokio::time::timeout(left, work) => match result {
                    Ok(Ok(result)) => result,
                    Ok(Err(_panic)) => Err(StepError::Panicked),
                    // What an upgrade has waited for says more than that its time is over.
                    Err(_elapsed) => Err(last.take().filter(|_| step == Step::Upgrade).unwrap_or_else(|| {
                        StepError::Budget { budget_ms: tracker.snapshot().budget_ms }
                    })),
                },
                by = tracker.wait_for_cancel(), if can_be_given_up => Err(StepError::Cancelled { by }),
            };
            match result {
                Err(error) if step.is_repeatable() && error.is_passing() && patience.pause().await => {
                    tracker.log(format!("{} is tried again: {error}", step.name()));
                    self.make_room(&error).await;
                    last = Some(error);
                }
                // So does what an earlier batch was in the way of.
                Err(StepError::OutOfTime { waited_for: None, .. })
                    if matches!(last, Some(StepError::HeldUp { .. })) =>
                {
                    return last.take().map_or(Ok(()), Err);
                }
                result => return result,
            }
        }
    }

    /// The least time for an operation that was taken over. An interrupted change is carried on even if no daemon ran for
    /// a long time.
    pub(super) const fn least_time(&self) -> Duration {
        match self.run {
            Run::Provision(_) => Duration::ZERO,
            Run::Change(_) => LEAST_UNDO_TIME,
        }
    }

    /// Why an operation that was taken over is not carried on.
    pub(super) fn too_late(&self) -> Option<Failure> {
        self.time_left().is_zero().then(|| Failure {
            step: "recovery".to_owned(),
            message: "the daemon stopped in the middle of the operation, and its time is over".to_owned(),
            hint: Some("do it again with `tenantry operation retry`".to_owned()),
            ..Failure::default()
        })
    }

    /// The state that is recorded for an operation that has ended.
    pub(super) fn final_state(&self) -> OperationState {
        match &self.progress {
            Progress::RolledBack { failure, .. } => OperationState::RolledBack { failure: failure.clone() },
            Progress::NeedsAttention { failure, left, .. } => OperationState::NeedsAttention {
                failure: Failure { hint: None, ..failure.clone() },
                left: left.clone(),
                next_command: self.next_command(),
            },
            Progress::Cancelled { .. } => OperationState::Cancelled,
            _ => OperationState::Succeeded,
        }
    }

    /// The command for the person who has to act. A new secret has to be requested, because only its answer carries the
    /// secret.
    fn next_command(&self) -> String {
        let operation = self.tracker.snapshot();
        let again = self.progress.kind().command_of_secrets(&operation.slug);
        again.unwrap_or_else(|| format!("tenantry operation retry {}", operation.id))
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
