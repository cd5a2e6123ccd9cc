//! What the console knows of the trail as a whole: how it stands, a verification that runs, what the last one found.
//!
//! Invariant: belongs to the console and to no screen, so that going elsewhere stops nothing. The daemon's word stands;
//! nothing is judged here.

use tenantry_protocol::audit::{AuditBreak, AuditVerdict, AuditVerification, TrailStatus};
use time::OffsetDateTime;

use super::isolation::Tone;
use crate::ui::ticket::Ticket;
use crate::{format, trail};

#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) status: TrailStatus,
    pub(crate) checking: Option<Checking>,
    /// Of the last verification that was asked for here.
    pub(crate) verdict: Option<AuditVerdict>,
}

/// A verification that was asked for here and is not over.
#[derive(Debug)]
pub(crate) struct Checking {
    pub(crate) ticket: Ticket,
    /// How far it is; nothing before the daemon has accepted it.
    pub(crate) progress: Option<AuditVerification>,
}

impl Chain {
    /// What the daemon says of the trail now. The newest event that is known of never goes back.
    pub(crate) fn learn(&mut self, status: TrailStatus) {
        let head_seq = status.head_seq.max(self.status.head_seq);
        self.status = TrailStatus { head_seq, ..status };
    }

    /// A verification that was asked for here is over; the daemon says the same of the trail when it is asked next.
    pub(crate) fn concluded(&mut self, verdict: AuditVerdict) {
        self.checking = None;
        if verdict.broken.is_none() {
            self.status.verified_to = Some(verdict.to_seq);
            self.status.verified_at = Some(verdict.at);
        }
        self.status.found.clone_from(&verdict.broken);
        self.verdict = Some(verdict);
    }

    pub(crate) fn wrong(&self) -> Option<&AuditBreak> {
        trail::wrong(&self.status)
    }

    /// `chain ✓ verified to 48,211`, or how far that is, or what is wrong.
    pub(crate) fn line(&self, now: OffsetDateTime) -> (String, Tone) {
        if let Some(checking) = &self.checking {
            let far = checking.progress.as_ref().map(|progress| {
                let percent = progress.checked.saturating_mul(100) / progress.total.max(1);
                format!(" {} of {}, {percent} %", trail::seq(progress.checked), trail::seq(progress.total))
            });
            return (format!("chain ◐ verifying{}", far.unwrap_or_else(|| " …".to_owned())), Tone::Plain);
        }
        if let Some(broken) = self.wrong() {
            return (format!("chain ✗ {}: {}", trail::trouble(broken), broken.message), Tone::Bad);
        }
        let Some(to) = self.status.verified_to else {
            return ("chain · not verified yet: v verifies it".to_owned(), Tone::Dim);
        };
        let ago = self.status.verified_at.map(|at| format!(", {}", format::ago(at, now)));
        (format!("chain ✓ verified to {}{}", trail::seq(to), ago.unwrap_or_default()), Tone::Good)
    }
}
