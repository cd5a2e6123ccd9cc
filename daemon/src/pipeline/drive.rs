//! One operation on its way: runs a step, tries it again where that makes sense, and undoes what has to be undone.
//!
//! Invariant: whatever happens in a step (an error, a panic, the end of its time) comes out as an event of the model.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use crate::model::operation::{Event, IllegalEvent, Progress, Step};

use super::engine::Actor;
use super::patience::Patience;
use super::run::Run;
use super::step::StepError;
use super::tracker::Tracker;

/// An undo gets at least this long, however much of the budget is gone.
const LEAST_UNDO_TIME: Duration = Duration::from_secs(30);

pub(super) struct Drive {
    pub(super) run: Run,
    pub(super) progress: Progress,
    pub(super) actor: Actor,
    pub(super) tracker: Arc<Tracker>,
    /// What happened since the journal was last written.
    pub(super) journal: Vec<Event>,
    /// When its budget ends; waiting for a place in the queue does not count.
    pub(super) deadline: Instant,
}

impl Drive {
    /// Takes note of an event.
    pub(super) fn apply(&mut self, event: Event) -> Result<(), IllegalEvent> {
        self.journal.push(event.clone());
        self.progress = self.progress.clone().apply(event)?;
        Ok(())
    }

    /// Runs a step to its end, good or bad.
    pub(super) async fn step(&mut self, step: Step) -> Event {
        let begin = Instant::now();
        let tracker = Arc::clone(&self.tracker);
        tracker.started(step);
        let error = match self.attempt(step).await {
            Ok(()) => {
                tracker.done(step, begin.elapsed());
                return Event::StepDone { step };
            }
            Err(error) => error,
        };
        let failure = error.failure(step);
        tracing::warn!(operation = %tracker.snapshot().id, step = step.name(), error = %failure.summary(), "a step failed");
        self.run.abandon().await;
        tracker.failed(step, begin.elapsed());
        tracker.log(format!("{} failed: {}", step.name(), failure.summary()));
        Event::StepFailed { step, failure }
    }

    /// Undoes until it is undone or the time for it is over.
    pub(super) async fn undo(&mut self) -> Event {
        let mut patience = Patience::lasting(self.time_left().max(LEAST_UNDO_TIME));
        loop {
            let result = match AssertUnwindSafe(self.run.undo()).catch_unwind().await {
                Ok(result) => result,
                Err(_panic) => Err(StepError::Panicked),
            };
            let Err(error) = result else {
                self.tracker.undone();
                self.tracker.log("undone: nothing is left on the target".to_owned());
                return Event::Undone;
            };
            self.tracker.log(format!("the undo failed: {error}"));
            if !patience.pause().await {
                let left = "roles and objects of the placement may be left on the target".to_owned();
                return Event::Stuck { failure: error.failure(Step::ConfirmAbsence), left };
            }
        }
    }

    /// One step within the budget. A step that can be done again is tried again after a passing fault.
    async fn attempt(&mut self, step: Step) -> Result<(), StepError> {
        let mut patience = Patience::lasting(self.time_left());
        loop {
            let tracker = Arc::clone(&self.tracker);
            let left = self.time_left();
            let work = AssertUnwindSafe(self.run.step(step, &tracker)).catch_unwind();
            let result = match tokio::time::timeout(left, work).await {
                Ok(Ok(result)) => result,
                Ok(Err(_panic)) => Err(StepError::Panicked),
                Err(_elapsed) => Err(StepError::Budget { budget_ms: tracker.snapshot().budget_ms }),
            };
            match result {
                Err(error) if step.is_repeatable() && error.is_passing() && patience.pause().await => {
                    tracker.log(format!("{} is tried again: {error}", step.name()));
                }
                result => return result,
            }
        }
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
