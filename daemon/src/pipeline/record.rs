//! The control database's side of an operation: intent before any effect, and the outcome in one transaction with the
//! tenant's state, the journal and the audit event.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState};
use tenantry_protocol::tenant::TenantState;

use crate::audit;
use crate::model::audit_chain::{Entry, Outcome};
use crate::model::operation::{Event, Kind};
use crate::postgres::control::{Control, ControlTx};
use crate::postgres::operations::IdempotencyKey;
use crate::postgres::tenants::NewTenant;
use crate::postgres::{Error, Result, error::doing, operations, reports, tenants};

use super::engine::Actor;

/// An operation as it is first written.
pub(super) struct Intent<'a> {
    pub(super) operation: &'a Operation,
    pub(super) kind: Kind,
    pub(super) actor: &'a Actor,
    pub(super) plan_hash: Option<&'a str>,
    pub(super) key: Option<IdempotencyKey<'a>>,
}

/// States from which a rollback may begin.
const ROLLBACK_FROM: [&str; 3] = ["active", "suspended", "needs_attention"];

/// T0 of a provision: tenant, operation, intent and audit event. Gives the event's `seq`.
pub(super) async fn begin_provision(
    control: &Control,
    intent: &Intent<'_>,
    tenant: &NewTenant,
) -> Result<i64> {
    let mut tx = control.begin().await?;
    tenants::insert(&mut tx, tenant).await?;
    begin(tx, control, intent).await
}

/// T0 of a rollback; `None` if the tenant is in no state to be rolled back.
pub(super) async fn begin_rollback(control: &Control, intent: &Intent<'_>) -> Result<Option<i64>> {
    let mut tx = control.begin().await?;
    let id = intent.operation.tenant_id;
    if !tenants::set_state(&mut tx, id, &ROLLBACK_FROM, &TenantState::RollingBack).await? {
        return Ok(None);
    }
    begin(tx, control, intent).await.map(Some)
}

async fn begin(mut tx: ControlTx, control: &Control, intent: &Intent<'_>) -> Result<i64> {
    let operation = intent.operation;
    operations::insert(&mut tx, operation, intent.plan_hash, control.epoch()).await?;
    if let Some(key) = intent.key {
        operations::insert_key(&mut tx, key, operation.id).await?;
    }
    operations::journal(&mut tx, operation.id, &Event::Begun { kind: intent.kind }).await?;
    let seq = audit::record(&mut tx, &entry(operation, intent.actor, Phase::Intent)).await?;
    tx.commit().await.map_err(doing("commit the intent"))?;
    Ok(seq)
}

/// Records that an operation is being undone, with the journal up to here.
pub(super) async fn unwinding(
    control: &Control,
    operation: &Operation,
    actor: &Actor,
    journal: &[Event],
) -> Result<i64> {
    let mut tx = control.begin().await?;
    write_progress(&mut tx, operation, journal).await?;
    move_tenant(&mut tx, operation.tenant_id, &["provisioning", "rolling_back"], &TenantState::RollingBack)
        .await?;
    let seq = audit::record(&mut tx, &entry(operation, actor, Phase::Unwinding)).await?;
    tx.commit().await.map_err(doing("commit the beginning of the undo"))?;
    Ok(seq)
}

/// T3: the outcome. `operation` is in its final state.
pub(super) async fn finish(
    control: &Control,
    operation: &Operation,
    actor: &Actor,
    journal: &[Event],
    report: Option<&IsolationReport>,
) -> Result<i64> {
    let mut tx = control.begin().await?;
    write_progress(&mut tx, operation, journal).await?;
    move_tenant(&mut tx, operation.tenant_id, &["provisioning", "rolling_back"], &end_state(operation))
        .await?;
    if let Some(report) = report {
        reports::insert(&mut tx, operation.id, operation.tenant_id, report).await?;
    }
    let seq = audit::record(&mut tx, &entry(operation, actor, Phase::End)).await?;
    tx.commit().await.map_err(doing("commit the outcome"))?;
    Ok(seq)
}

async fn write_progress(tx: &mut ControlTx, operation: &Operation, journal: &[Event]) -> Result<()> {
    for event in journal {
        operations::journal(tx, operation.id, event).await?;
    }
    operations::update(tx, operation).await
}

async fn move_tenant(tx: &mut ControlTx, id: TenantId, from: &[&str], to: &TenantState) -> Result<()> {
    if tenants::set_state(tx, id, from, to).await? {
        Ok(())
    } else {
        Err(Error::Corrupt { what: "the tenant's state", why: format!("{id} cannot become {}", to.name()) })
    }
}

/// The tenant's state after an operation that ended.
fn end_state(operation: &Operation) -> TenantState {
    match (&operation.state, operation.kind) {
        (OperationState::Succeeded, OperationKind::Rollback) => {
            TenantState::RolledBack { reason: format!("rolled back by {}", operation.actor) }
        }
        (OperationState::Succeeded, _) => TenantState::Active,
        (OperationState::NeedsAttention { failure, next_command, .. }, _) => {
            TenantState::NeedsAttention { reason: failure.summary(), next_command: next_command.clone() }
        }
        (state, _) => TenantState::RolledBack {
            reason: state.failure().map_or_else(|| state.name().to_owned(), |failure| failure.summary()),
        },
    }
}

enum Phase {
    Intent,
    Unwinding,
    End,
}

fn entry(operation: &Operation, actor: &Actor, phase: Phase) -> Entry {
    let action = match (operation.kind, &phase) {
        (OperationKind::Rollback, Phase::Intent) => "rollback.intent",
        (OperationKind::Rollback, Phase::Unwinding) => "rollback.undo",
        (OperationKind::Rollback, Phase::End) => "rollback",
        (_, Phase::Intent) => "provision.intent",
        (_, Phase::Unwinding) => "provision.undo",
        (_, Phase::End) => "provision",
    };
    let outcome = match (&phase, &operation.state) {
        (Phase::Intent | Phase::Unwinding, _) => None,
        (Phase::End, OperationState::Succeeded) => Some(Outcome::Ok),
        (Phase::End, _) => Some(Outcome::Failed),
    };
    Entry {
        action,
        actor_uid: actor.uid,
        actor: actor.name.clone(),
        tenant_id: Some(operation.tenant_id.as_uuid()),
        slug: Some(operation.slug.to_string()),
        operation_id: Some(operation.id.as_uuid()),
        outcome,
        duration_ms: operation.duration_ms,
        detail: operation.state.failure().map(tenantry_protocol::operation::Failure::summary),
    }
}
