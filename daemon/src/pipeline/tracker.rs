//! The live state of one operation: what `operation` and `watch` show while it runs.
//!
//! It is for display only: it never decides what the operation does next.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::brief::{self, LONGEST_ACCOUNT};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationState, StepCount, StepProgress, StepStatus};
use tenantry_protocol::text::escaped;
use tenantry_protocol::watch::EventBody;
use tokio::sync::watch;

use crate::model::operation::{Kind, Step};

use super::events::Events;

/// The state of one running operation; every change of it is an event.
#[derive(Debug)]
pub(super) struct Tracker {
    /// Tells waiting callers of the end, and also of a task that stopped without one.
    operation: watch::Sender<Operation>,
    begin: Instant,
    events: Arc<Events>,
    /// Who cancelled the operation.
    cancel: watch::Sender<Option<String>>,
}

/// The operations that run now, by id.
#[derive(Debug, Default)]
pub(super) struct Live {
    trackers: Mutex<HashMap<OperationId, Arc<Tracker>>>,
    /// The operations that a task of this process has claimed, from before they are on record.
    claimed: Mutex<HashSet<OperationId>>,
}

/// The result of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelling {
    Asked,
    /// The operation does not run here.
    NotRunning,
    /// Data is being dropped, which cannot be undone.
    TooLate,
}

/// The right to run an operation in this process. However its holder ends, even by a panic, recovery can claim the
/// operation again.
#[derive(Debug)]
pub(super) struct Claim {
    live: Arc<Live>,
    id: OperationId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.live.trackers.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.live.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Live {
    /// Returns `None` if another task has claimed the operation.
    pub(super) fn claim(self: &Arc<Self>, id: OperationId) -> Option<Claim> {
        let is_free = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        is_free.then(|| Claim { live: Arc::clone(self), id })
    }

    pub(super) fn add(&self, operation: Operation, events: &Arc<Events>) -> Arc<Tracker> {
        let id = operation.id;
        let tracker = Arc::new(Tracker {
            operation: watch::channel(operation).0,
            begin: Instant::now(),
            events: Arc::clone(events),
            cancel: watch::channel(None).0,
        });
        self.trackers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&tracker));
        tracker.publish();
        tracker
    }

    pub(super) fn get(&self, id: OperationId) -> Option<Arc<Tracker>> {
        self.trackers.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn can_cancel(&self, id: OperationId) -> Cancelling {
        match self.get(id) {
            None => Cancelling::NotRunning,
            Some(tracker) if tracker.is_past_return() => Cancelling::TooLate,
            Some(_) => Cancelling::Asked,
        }
    }

    pub(super) fn cancel(&self, id: OperationId, by: &str) -> Cancelling {
        let answer = self.can_cancel(id);
        if let (Cancelling::Asked, Some(tracker)) = (answer, self.get(id)) {
            tracker.cancel(by.to_owned());
        }
        answer
    }

    pub(super) fn len(&self) -> usize {
        self.trackers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The steps of a kind, none of them begun.
pub(super) fn waiting_steps(kind: Kind) -> Vec<StepProgress> {
    kind.steps()
        .iter()
        .map(|step| StepProgress {
            step: step.name().to_owned(),
            title: step.title().to_owned(),
            status: StepStatus::Waiting,
            atomic: step.is_atomic(),
            count: None,
            note: None,
            duration_ms: None,
        })
        .collect()
}

impl Tracker {
    pub(super) fn snapshot(&self) -> Operation {
        self.operation.borrow().clone()
    }

    /// Every change of the state, until the operation no longer runs.
    pub(super) fn subscribe(&self) -> watch::Receiver<Operation> {
        self.operation.subscribe()
    }

    /// Cancels the operation; only the first caller is named.
    pub(super) fn cancel(&self, by: String) {
        self.cancel.send_if_modified(|cancelled| {
            let is_first = cancelled.is_none();
            cancelled.get_or_insert(by);
            is_first
        });
    }

    pub(super) fn cancelled_by(&self) -> Option<String> {
        self.cancel.borrow().clone()
    }

    /// Waits until somebody cancels the operation.
    pub(super) async fn wait_for_cancel(&self) -> String {
        let mut cancel = self.cancel.subscribe();
        let by = cancel.wait_for(Option::is_some).await.ok().and_then(|by| by.clone());
        match by {
            Some(by) => by,
            // The sender lives as long as this tracker does.
            None => std::future::pending().await,
        }
    }

    /// Whether the current or last step cannot be undone.
    pub(super) fn is_past_return(&self) -> bool {
        let operation = self.snapshot();
        let begun = |step: &StepProgress| step.status != StepStatus::Waiting;
        let is_final = |step: &StepProgress| Step::named(&step.step).is_some_and(Step::is_final);
        operation.state.is_final() || operation.steps.iter().any(|step| begun(step) && is_final(step))
    }

    /// Marks the first `done` steps as complete.
    pub(super) fn passed(&self, done: usize) {
        self.change(|operation| {
            for step in operation.steps.iter_mut().take(done) {
                step.status = StepStatus::Done;
            }
        });
    }

    /// Another build begins: no step counts as done any more.
    pub(super) fn rewound(&self, kind: Kind) {
        self.change(|operation| operation.steps = waiting_steps(kind));
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    pub(super) fn set_state(&self, state: OperationState) {
        self.change(|operation| operation.state = state);
    }

    /// Sets the final state exactly as it was recorded.
    pub(super) fn ended(&self, recorded: Operation) {
        self.change(|operation| *operation = recorded);
    }

    pub(super) fn started(&self, step: Step) {
        self.change_step(step, |progress| progress.status = StepStatus::Running);
    }

    pub(super) fn counted(&self, step: Step, done: usize, total: usize) {
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
        self.change_step(step, |progress| {
            progress.count = Some(StepCount { done: count(done), total: count(total) });
        });
    }

    /// What is shown beside a step that is running.
    pub(super) fn noted(&self, step: Step, note: Option<String>) {
        self.change_step(step, |progress| progress.note = note);
    }

    pub(super) fn done(&self, step: Step, duration: Duration) {
        self.change_step(step, |progress| {
            progress.status = StepStatus::Done;
            progress.duration_ms = Some(millis(duration));
        });
    }

    pub(super) fn failed(&self, step: Step, duration: Duration) {
        self.change_step(step, |progress| {
            progress.status = StepStatus::Failed;
            progress.duration_ms = Some(millis(duration));
        });
    }

    /// Marks all completed steps as undone.
    pub(super) fn undone(&self) {
        self.change(|operation| {
            for step in &mut operation.steps {
                if matches!(step.status, StepStatus::Done | StepStatus::Running) {
                    step.status = StepStatus::Undone;
                }
            }
        });
    }

    /// Adds a line to the log pane; the result is always one line, whatever the text contains.
    pub(super) fn log(&self, line: String) {
        let operation_id = self.operation.borrow().id;
        let line = brief::cut(&escaped(&line), LONGEST_ACCOUNT);
        self.events.publish(EventBody::Log { operation_id, line });
    }

    fn change_step(&self, step: Step, change: impl FnOnce(&mut StepProgress)) {
        self.change(|operation| {
            if let Some(progress) = operation.steps.iter_mut().find(|progress| progress.step == step.name()) {
                change(progress);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Operation)) {
        self.operation.send_modify(change);
        self.publish();
    }

    fn publish(&self) {
        self.events.publish(EventBody::Operation { operation: Box::new(self.snapshot()) });
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
