//! The dialog that removes several tenants, one after the other.
//!
//! Invariant: its tenants are frozen when it opens. One rollback runs at a time, since each takes many locks. The first one
//! that fails stops the rest, and so does leaving the dialog.

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::Slug;
use tenantry_protocol::tenant::{RollbackPreview, Tenant};
use tui_input::Input;

use super::Answer;
use crate::ui::ticket::Ticket;

/// The most tenants in one dialog: as many as a person can look through.
pub(crate) const MOST: usize = 50;

#[derive(Debug)]
pub(crate) struct BulkRollback {
    pub(crate) parts: Vec<Part>,
    /// Marked too, but in a state that cannot be rolled back.
    pub(crate) left_out: Vec<Slug>,
    pub(crate) typed: Input,
    pub(crate) phase: BulkPhase,
    /// First part on the screen.
    pub(crate) top: usize,
}

/// One of the tenants, and its progress.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) tenant: Tenant,
    pub(crate) effects: Answer<Box<RollbackPreview>>,
    pub(crate) progress: PartProgress,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartProgress {
    Waiting,
    Asked(Ticket),
    Running(OperationId),
    Done,
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BulkPhase {
    /// The confirmation is being typed.
    Asking,
    Running,
    /// One rollback failed; the rest waits for a decision.
    Stopped,
    Done,
}

impl BulkRollback {
    pub(crate) fn new(tenants: Vec<Tenant>, left_out: Vec<Slug>) -> Self {
        let parts = tenants
            .into_iter()
            .map(|tenant| Part { tenant, effects: Answer::Awaited, progress: PartProgress::Waiting })
            .collect();
        Self { parts, left_out, typed: Input::default(), phase: BulkPhase::Asking, top: 0 }
    }

    /// The text that confirms: it contains the number of tenants, so that typing it cannot become a habit.
    pub(crate) fn phrase(&self) -> String {
        format!("roll back {} tenants", self.parts.len())
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.typed.value() == self.phrase()
    }

    /// The effects for every tenant are on the screen, or why they are not known.
    pub(crate) fn is_known(&self) -> bool {
        self.unread().is_none()
    }

    /// The next tenant whose effects have to be read.
    pub(crate) fn unread(&self) -> Option<TenantId> {
        let unread = self.parts.iter().find(|part| matches!(part.effects, Answer::Awaited));
        unread.map(|part| part.tenant.id)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.parts.iter().filter(|part| part.progress == PartProgress::Waiting).count()
    }

    pub(crate) fn done(&self) -> usize {
        self.parts.iter().filter(|part| part.progress == PartProgress::Done).count()
    }
}
