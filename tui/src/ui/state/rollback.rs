//! The dialog that removes a tenant.
//!
//! Invariant: its tenant is frozen when it opens; nothing that happens behind it changes which tenant it is about. It
//! confirms only with the tenant's name typed in full, and with a key that no other screen uses.

use tenantry_protocol::ApiError;
use tenantry_protocol::tenant::{RollbackPreview, Tenant};
use tui_input::Input;

use super::Answer;
use crate::ui::ticket::Ticket;

#[derive(Debug)]
pub(crate) struct RollbackDialog {
    pub(crate) tenant: Tenant,
    /// What the target said would be removed; the tenant in it is ignored.
    pub(crate) effects: Answer<Box<RollbackPreview>>,
    pub(crate) typed: Input,
    pub(crate) progress: Asking,
    /// How many lines of the explanation are scrolled past.
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

    /// The name is typed in full; only then does the key that removes the tenant work.
    pub(crate) fn is_named(&self) -> bool {
        self.typed.value() == self.tenant.slug.as_str()
    }

    /// The effects are on the screen, or why they are not known.
    pub(crate) const fn is_known(&self) -> bool {
        !matches!(self.effects, Answer::Awaited)
    }

    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.progress, Asking::Sent(_))
    }
}
