//! A tenant's login, shown once.
//!
//! Invariant: the secret exists in this screen and nowhere else, from the answer until the screen is left. A login that is
//! in use gets a new secret only after a warning and a confirmation.

use tenantry_protocol::ApiError;
use tenantry_protocol::name::Slug;
use tenantry_protocol::tenant::{Credentials, CredentialsIssued, Tenant};

use crate::ui::ticket::Ticket;

#[derive(Debug)]
pub(crate) struct CredentialsScreen {
    pub(crate) slug: Slug,
    /// The login as it was when the screen was opened.
    pub(crate) login: Option<CredentialsIssued>,
    pub(crate) secret: Secret,
}

#[derive(Debug)]
pub(crate) enum Secret {
    /// There is already a secret: a new one invalidates it.
    Unconfirmed,
    Asked(Ticket),
    Shown(Box<Credentials>),
    Refused(ApiError),
}

impl CredentialsScreen {
    pub(crate) fn new(tenant: &Tenant) -> Self {
        Self { slug: tenant.slug.clone(), login: tenant.credentials.clone(), secret: Secret::Unconfirmed }
    }
}
