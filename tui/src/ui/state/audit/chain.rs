//! What the console knows of the trail as a whole: its state, a verification that runs, and what the last one found.
//!
//! Invariant: it belongs to the console and not to a screen, so that leaving a screen stops nothing. The daemon's word
//! counts; nothing is judged here.

use tenantry_protocol::audit::{AuditBreak, AuditVerdict, AuditVerification, TrailStatus};
use time::OffsetDateTime;

use crate::ui::state::isolation::Tone;
use crate::ui::ticket::Ticket;
use crate::{format, trail};

#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) status: TrailStatus,
    pub(crate) checking: Option<Checking>,
    /// The verdict of the last verification that was requested here.
    pub(crate) verdict: Option<AuditVerdict>,
}

/// A verification that was requested here and has not ended.
#[derive(Debug)]
pub(crate) struct Checking {
    pub(crate) ticket: Ticket,
    /// Its progress; `None` until the daemon has accepted it.
    pub(crate) progress: Option<AuditVerification>,
}

impl Chain {
    /// Takes what the daemon says of the trail now. The newest known event never goes back.
    pub(crate) fn learn(&mut self, status: TrailStatus) {
        let head_seq = status.head_seq.max(self.status.head_seq);
        self.status = TrailStatus { head_seq, ..status };
    }

    /// A verification that was requested here has ended; the daemon will say the same of the trail when it is next asked.
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

    /// `chain ✓ verified to 48,211`, the progress of a verification, or what is wrong.
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
