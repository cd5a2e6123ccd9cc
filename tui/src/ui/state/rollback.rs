//! The dialog that removes a tenant.
//!
//! Invariant: its tenant is frozen when it opens; nothing that happens behind it changes what it is about.
//! It confirms only with the tenant's name typed in full, and by a key that is on no other screen.

use tenantry_protocol::ApiError;
use tenantry_protocol::tenant::{RollbackPreview, Tenant};
use tui_input::Input;

use super::Answer;
use crate::ui::ticket::Ticket;

#[derive(Debug)]
pub(crate) struct RollbackDialog {
    pub(crate) tenant: Tenant,
    /// What the target said would go; the tenant in it is not looked at.
    pub(crate) effects: Answer<Box<RollbackPreview>>,
    pub(crate) typed: Input,
    pub(crate) progress: Asking,
    /// Lines of the explanation that are scrolled past.
    pub(crate) top: usize,
}

#[derive(Debug)]
pub(crate) enum Asking {
    NotYet,
    Sent(Ticket),
    Refused(ApiError),
}

impl RollbackDialog {
    pub(crate) fn new(tenant: Tenant) -> Self {
        Self { tenant, effects: Answer::Awaited, typed: Input::default(), progress: Asking::NotYet, top: 0 }
    }

    /// The name is typed in full; only then does the key that removes work.
    pub(crate) fn is_named(&self) -> bool {
        self.typed.value() == self.tenant.slug.as_str()
    }

    /// Its effects are on the screen, or why they are not known.
    pub(crate) const fn is_known(&self) -> bool {
        !matches!(self.effects, Answer::Awaited)
    }

    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.progress, Asking::Sent(_))
    }
}
