//! `tenant suspend | resume | update | retire`, and what people are told afterwards.
//!
//! Invariant: who retires a tenant types its name twice; it is never filled in by us.

use tenantry_protocol::archive::Archive;
use tenantry_protocol::operation::{Operation, OperationKind};
use tenantry_protocol::tenant::{RetireRequest, TenantChangeRequest, TenantState, UpdateTenantRequest};

use time::OffsetDateTime;

use crate::cli::Context;
use crate::cli::args::{Retire, Sending, Update};
use crate::cli::change::{Change, Done, run};
use crate::cli::error::CliError;
use crate::format;

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

/// How it stands with the tenant now, and what can be done next.
pub(in crate::cli) fn outcome(done: &Done) -> String {
    let Operation { kind, slug, target, .. } = &done.operation;
    let time = done.time();
    let sentence = match kind {
        OperationKind::Suspend => format!(
            "{slug} is suspended{time}: its logins are closed and its sessions ended; its data stays\n  next: open it \
             again with `tenantry tenant resume {slug}`"
        ),
        OperationKind::Resume => {
            format!("{slug} is active again{time}: its logins work, with the secrets that they had")
        }
        OperationKind::Update => {
            format!("{slug} is updated{time}; see it with `tenantry tenant show {slug}`")
        }
        OperationKind::Retire => retired(done),
        OperationKind::Rollback => format!("{slug} is rolled back{time}: nothing is left on {target}"),
        OperationKind::Purge => format!("{slug} is removed{time}: nothing is left on {target}"),
        OperationKind::Provision => format!(
            "{slug} is active on {target}{time}\n  next: ask for its credentials with `tenantry tenant credentials {slug} issue`"
        ),
        other => format!("the {} of {slug} is done{time}", other.name().replace('_', " ")),
    };
    match done.archive() {
        Some(archive) => format!("{sentence}\n{}", archived(archive)),
        None => sentence,
    }
}

fn retired(done: &Done) -> String {
    let Operation { slug, .. } = &done.operation;
    match &done.detail.tenant.state {
        TenantState::Retiring { purge_after: Some(at) } if *at > OffsetDateTime::now_utc() => format!(
            "{slug} is retired{}: its logins are closed; its data is removed on {} UTC\n  next: until then `tenantry \
             tenant resume {slug}` takes it back",
            done.time(),
            format::timestamp(*at)
        ),
        _ => format!(
            "{slug} is retired{}, without a grace: its removal begins now\n  next: see how it goes with `tenantry operation \
             list --tenant {slug}`",
            done.time()
        ),
    }
}

/// Where the data is now, and how to have it back.
pub(super) fn archived(archive: &Archive) -> String {
    format!(
        "  archive   {}\n            {}, {}, {}, sha256 {}\n  to read   pg_restore --no-owner --no-privileges --dbname=… {0}",
        archive.path,
        format::counted(archive.tables, "table"),
        format::counted(archive.rows, "row"),
        format::bytes(archive.size_bytes),
        archive.sha256
    )
}
