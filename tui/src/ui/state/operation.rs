//! A live operation, and the screen that shows it.
//! Log lines are bounded; the screen shows what the daemon last said.

use std::collections::VecDeque;

use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState, StepProgress, StepStatus};
use time::OffsetDateTime;

use super::wizard::Wizard;

/// The most log lines that are kept of one operation.
const MAX_LOG: usize = 500;

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) operation: Operation,
    /// Newest last.
    pub(crate) log: VecDeque<(OffsetDateTime, String)>,
}

#[derive(Debug)]
pub(crate) struct OperationScreen {
    pub(crate) id: OperationId,
    /// The draft it was requested with, so that a failure can be tried again with changes.
    pub(crate) draft: Option<Box<Wizard>>,
    /// How many of the newest log lines are scrolled past.
    pub(crate) top: usize,
}

impl Live {
    pub(crate) const fn new(operation: Operation) -> Self {
        Self { operation, log: VecDeque::new() }
    }

    pub(crate) fn log(&mut self, at: OffsetDateTime, line: String) {
        if self.log.len() == MAX_LOG {
            self.log.pop_front();
        }
        self.log.push_back((at, line));
    }

    /// How many steps are done, and how many there are.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let done = self.operation.steps.iter().filter(|step| step.status == StepStatus::Done).count();
        (done, self.operation.steps.len())
    }

    /// The title of the step that is running, if one is.
    pub(crate) fn at_work(&self) -> Option<&str> {
        let running = self.operation.steps.iter().find(|step| step.status == StepStatus::Running);
        running.filter(|_| !self.operation.state.is_final()).map(|step| step.title.as_str())
    }

    /// From the request until now, or until its end, in ms.
    pub(crate) fn elapsed_ms(&self, now: OffsetDateTime) -> f64 {
        self.operation.duration_ms.unwrap_or_else(|| {
            let elapsed = (now - self.operation.requested_at).as_seconds_f64() * 1_000.0;
            elapsed.max(0.0)
        })
    }
}

impl OperationScreen {
    pub(crate) const fn new(id: OperationId, draft: Option<Box<Wizard>>) -> Self {
        Self { id, draft, top: 0 }
    }
}

/// The operation runs, and can still be undone: once a tenant's data is being dropped, it cannot.
pub(crate) fn can_be_cancelled(operation: &Operation) -> bool {
    let drops = |name: &str| matches!(name, "drop_objects" | "drop_roles" | "confirm_absence");
    let is_dropping = |step: &StepProgress| drops(&step.step) && step.status != StepStatus::Waiting;
    matches!(operation.state, OperationState::Queued | OperationState::Running)
        && !operation.steps.iter().any(is_dropping)
}

/// The operation failed or needs attention, and can be repeated as it was.
pub(crate) const fn can_be_done_again(operation: &Operation) -> bool {
    let by_engine = !matches!(
        operation.kind,
        OperationKind::IssueCredentials
            | OperationKind::RotateCredentials
            | OperationKind::FinishRotation
            | OperationKind::Other
    );
    by_engine
        && matches!(
            operation.state,
            OperationState::RolledBack { .. }
                | OperationState::Cancelled
                | OperationState::NeedsAttention { .. }
        )
}

/// Nothing is left of the operation, so that the same can be requested again.
pub(crate) const fn can_be_retried(operation: &Operation) -> bool {
    matches!(operation.kind, OperationKind::Provision)
        && matches!(operation.state, OperationState::RolledBack { .. } | OperationState::Cancelled)
}
