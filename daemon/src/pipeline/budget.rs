//! How long operations may take before they are undone, and how many of them run at once.

use std::time::Duration;

use crate::model::operation::{Kind, Step};

/// The caller waits for the answer with the new secret. An answer that arrives after the caller has left helps nobody.
const A_SECRET: Duration = Duration::from_secs(8);
/// A caller waits for this too, but longer, because sessions have to end.
const A_FINISH: Duration = Duration::from_secs(50);

/// The limits of an engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    pub budget: Duration,
    /// The additional time for an operation that makes an archive.
    pub archive_budget: Duration,
    pub operations_per_target: usize,
}

impl EngineOptions {
    pub(super) fn budget_of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::IssueCredentials | Kind::RotateCredentials => self.budget.min(A_SECRET),
            Kind::FinishRotation => self.budget.min(A_FINISH),
            kind if kind.steps().contains(&Step::Archive) => self.budget + self.archive_budget,
            _ => self.budget,
        }
    }
}
