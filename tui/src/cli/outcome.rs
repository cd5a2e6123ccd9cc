//! The result of a change to a tenant, in sentences.

use tenantry_protocol::archive::Archive;
use tenantry_protocol::operation::{Operation, OperationKind};
use tenantry_protocol::tenant::TenantState;
use time::OffsetDateTime;

use super::change::Done;
use crate::format;

/// The state of the tenant now, and what can be done next.
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
        OperationKind::Upgrade => {
            let tenant = &done.detail.tenant;
            format!(
                "{slug} has version {} of {}{time}; it served all the while",
                tenant.version, tenant.blueprint
            )
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

/// Where the data is now, and how to get it back.
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
