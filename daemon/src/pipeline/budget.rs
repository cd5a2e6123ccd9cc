//! How long operations may take before they are undone, and how many run at once.

use std::time::Duration;

use crate::model::operation::{Kind, Step};

/// A new secret is in an answer that somebody waits for: one that comes when the caller has gone helps nobody.
const A_SECRET: Duration = Duration::from_secs(8);
/// Somebody waits for this too, and longer: sessions have to end.
const A_FINISH: Duration = Duration::from_secs(50);

/// What an engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    pub budget: Duration,
    /// How much longer an operation may take that makes an archive.
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
