//! The dialog that removes a tenant.
//!
//! Invariant: its tenant is frozen when it opens; nothing that happens behind it changes what it is about.
//! It confirms only with the tenant's name typed in full, and by a key that is on no other screen.

use tenantry_protocol::ApiError;
use tenantry_protocol::tenant::Tenant;
use tui_input::Input;

use crate::ui::event::Ticket;

#[derive(Debug)]
pub(crate) struct RollbackDialog {
    pub(crate) tenant: Tenant,
    pub(crate) typed: Input,
    pub(crate) progress: Asking,
}

#[derive(Debug)]
pub(crate) enum Asking {
    NotYet,
    Sent(Ticket),
    Refused(ApiError),
}

impl RollbackDialog {
    pub(crate) fn new(tenant: Tenant) -> Self {
        Self { tenant, typed: Input::default(), progress: Asking::NotYet }
    }

    /// The name is typed in full; only then does the key that removes work.
    pub(crate) fn is_named(&self) -> bool {
        self.typed.value() == self.tenant.slug.as_str()
    }

    pub(crate) const fn is_sent(&self) -> bool {
        matches!(self.progress, Asking::Sent(_))
    }
}
