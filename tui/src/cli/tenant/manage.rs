//! `tenant suspend | resume | update | upgrade | retire`, and what they report afterwards.
//!
//! Invariant: a caller who retires a tenant types its name twice; we never fill it in.

use tenantry_protocol::tenant::{
    RetireRequest, TenantChangeRequest, UpdateTenantRequest, UpgradeTenantRequest,
};

use crate::cli::Context;
use crate::cli::args::{Retire, Sending, Update};
use crate::cli::change::{Change, run};
use crate::cli::error::CliError;
use crate::cli::outcome::outcome;

pub(in crate::cli) async fn suspend(
    context: &Context,
    slug: String,
    sending: Sending,
) -> Result<(), CliError> {
    let request = TenantChangeRequest { slug, idempotency_key: sending.idempotency_key };
    run(context, Change::Suspend(request), sending.no_wait, outcome).await
}

pub(in crate::cli) async fn resume(
    context: &Context,
    slug: String,
    sending: Sending,
) -> Result<(), CliError> {
    let request = TenantChangeRequest { slug, idempotency_key: sending.idempotency_key };
    run(context, Change::Resume(request), sending.no_wait, outcome).await
}

pub(in crate::cli) async fn update(context: &Context, update: Update) -> Result<(), CliError> {
    let mut request = UpdateTenantRequest {
        slug: update.slug,
        display_name: update.name,
        idempotency_key: update.sending.idempotency_key,
        ..UpdateTenantRequest::default()
    };
    for (name, value) in update.settings {
        if request.settings.insert(name.clone(), value).is_some() {
            return Err(twice(&format!("settings.{name}"), &format!("--set {name}")));
        }
    }
    let removed = update.unlabel.into_iter().map(|name| (name, None));
    for (name, value) in update.labels.into_iter().map(|(name, value)| (name, Some(value))).chain(removed) {
        if request.labels.insert(name.clone(), value).is_some() {
            return Err(twice(&format!("labels.{name}"), &format!("the label {name}")));
        }
    }
    run(context, Change::Update(request), update.sending.no_wait, outcome).await
}

pub(in crate::cli) async fn upgrade(
    context: &Context,
    slug: String,
    version: Option<String>,
    sending: Sending,
) -> Result<(), CliError> {
    let request = UpgradeTenantRequest { slug, version, idempotency_key: sending.idempotency_key };
    run(context, Change::Upgrade(request), sending.no_wait, outcome).await
}

fn twice(field: &str, what: &str) -> CliError {
    CliError::invalid(field, format!("{what} is given twice"))
}

pub(in crate::cli) async fn retire(context: &Context, retire: Retire) -> Result<(), CliError> {
    if retire.confirm != retire.slug {
        let message = format!(
            "the confirmation is not the tenant's name; nothing was done. Give --confirm {}",
            retire.slug
        );
        return Err(CliError::invalid("confirm", message));
    }
    let request = RetireRequest {
        slug: retire.slug,
        confirm: retire.confirm,
        grace_s: retire.grace,
        discard_data: retire.discard_data,
        idempotency_key: retire.sending.idempotency_key,
    };
    run(context, Change::Retire(request), retire.sending.no_wait, outcome).await
}
