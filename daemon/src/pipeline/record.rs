//! The control database's side of an operation: intent before any effect, and the outcome in one transaction with the
//! tenant's state, the journal and the audit event.

use std::time::Duration;

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState};
use tenantry_protocol::tenant::TenantState;

use crate::audit;
use crate::model::audit_chain::{self, Entry};
use crate::model::operation::{Event, Kind};
use crate::postgres::control::{Control, ControlTx};
use crate::postgres::operations::IdempotencyKey;
use crate::postgres::tenants::NewTenant;
use crate::postgres::{Error, Result, audit_rows, error::doing, operations, reports, tenants};

use super::engine::Actor;
use super::patience::Patience;

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

/// How long a request waits for the answer to a COMMIT that was lost.
const INTENT_TIME: Duration = Duration::from_secs(10);

/// What came of an attempt to write an intent.
enum Attempt<T> {
    Done(T),
    /// Nobody answered the COMMIT: it may have happened, or happen yet.
    Lost(Error),
}

/// T0 of a provision: tenant, operation, intent and audit event. Gives the event's `seq`.
pub(super) async fn begin_provision(
    control: &Control,
    intent: &Intent<'_>,
    tenant: &NewTenant,
) -> Result<i64> {
    let mut lost = Lost::default();
    loop {
        let attempt = async {
            let mut tx = control.begin().await?;
            tenants::insert(&mut tx, tenant).await?;
            begin(tx, control, intent).await
        };
        match attempt.await {
            Ok(Attempt::Done(seq)) => return Ok(seq),
            Ok(Attempt::Lost(error)) => lost.wait(error).await?,
            // A second attempt waits for the first one's rows, and then runs into them.
            Err(error) => match lost.found(control, intent).await {
                Some(seq) => return Ok(seq),
                None => lost.go_on(error).await?,
            },
        }
    }
}

/// T0 of a rollback; `None` if the tenant is in no state to be rolled back.
pub(super) async fn begin_rollback(control: &Control, intent: &Intent<'_>) -> Result<Option<i64>> {
    let mut lost = Lost::default();
    let id = intent.operation.tenant_id;
    loop {
        let attempt = async {
            let mut tx = control.begin().await?;
            if !tenants::set_state(&mut tx, id, &ROLLBACK_FROM, &TenantState::RollingBack).await? {
                return Ok(Attempt::Done(None));
            }
            Ok(match begin(tx, control, intent).await? {
                Attempt::Done(seq) => Attempt::Done(Some(seq)),
                Attempt::Lost(error) => Attempt::Lost(error),
            })
        };
        match attempt.await {
            Ok(Attempt::Done(None)) => return Ok(lost.found(control, intent).await),
            Ok(Attempt::Done(seq)) => return Ok(seq),
            Ok(Attempt::Lost(error)) => lost.wait(error).await?,
            Err(error) => match lost.found(control, intent).await {
                Some(seq) => return Ok(Some(seq)),
                None => lost.go_on(error).await?,
            },
        }
    }
}

/// Whether an earlier attempt's COMMIT was lost, and how much longer to find out.
#[derive(Default)]
struct Lost {
    patience: Option<Patience>,
}

impl Lost {
    async fn wait(&mut self, error: Error) -> Result<()> {
        tracing::warn!(error = %error.explain(), "the answer to a COMMIT was lost; finding out");
        self.patience.get_or_insert_with(|| Patience::lasting(INTENT_TIME)).outlast(error).await
    }

    /// After an error: on, if a COMMIT is still in doubt and it was only the server that did not answer.
    async fn go_on(&mut self, error: Error) -> Result<()> {
        match &mut self.patience {
            Some(patience) => patience.outlast(error).await,
            None => Err(error),
        }
    }

    /// The lost COMMIT happened: the intent is there.
    async fn found(&self, control: &Control, intent: &Intent<'_>) -> Option<i64> {
        self.patience.as_ref()?;
        recorded(control, intent.operation).await
    }
}

/// The audit trail's newest event, if the operation is on record in the very state that it is in here.
async fn recorded(control: &Control, operation: &Operation) -> Option<i64> {
    let stored = operations::by_id(control.pool(), operation.id).await.ok()??;
    if stored.state.name() == operation.state.name() {
        audit_rows::head_seq(control.pool()).await.ok()
    } else {
        None
    }
}

async fn begin(mut tx: ControlTx, control: &Control, intent: &Intent<'_>) -> Result<Attempt<i64>> {
    let operation = intent.operation;
    operations::insert(&mut tx, operation, intent.plan_hash, control.epoch()).await?;
    if let Some(key) = intent.key {
        operations::insert_key(&mut tx, key, operation.id).await?;
    }
    operations::journal(&mut tx, operation.id, &Event::Begun { kind: intent.kind }).await?;
    let seq = audit::record(&mut tx, &entry(operation, intent.actor, Phase::Intent)).await?;
    match tx.commit().await.map_err(doing("commit the intent")) {
        Ok(()) => Ok(Attempt::Done(seq)),
        Err(error) if error.is_unreachable() => Ok(Attempt::Lost(error)),
        Err(error) => Err(error),
    }
}

/// How an operation went on or ended; its own state says which.
pub(super) struct Outcome<'a> {
    pub(super) operation: &'a Operation,
    pub(super) actor: &'a Actor,
    /// What happened since the journal was last written.
    pub(super) journal: &'a [Event],
    pub(super) report: Option<&'a IsolationReport>,
}

/// Records that an operation is being undone, or its outcome (T3). Tries for as long as it takes: given up, the
/// operation would be nobody's until the next start, which would undo what succeeded. A later daemon ends that.
pub(super) async fn outcome(control: &Control, outcome: &Outcome<'_>) -> Result<i64> {
    let mut patience = Patience::endless();
    let mut is_first = true;
    loop {
        let error = match write_outcome(control, outcome).await {
            Ok(seq) => return Ok(seq),
            Err(error) => error,
        };
        // An attempt whose COMMIT was lost may have been the last that was needed.
        if let Some(seq) = recorded(control, outcome.operation).await {
            return Ok(seq);
        }
        if matches!(error, Error::Fenced | Error::Corrupt { .. }) {
            return Err(error);
        }
        if std::mem::take(&mut is_first) {
            tracing::warn!(operation = %outcome.operation.id, error = %error.explain(), "an operation cannot be recorded yet");
        }
        patience.pause().await;
    }
}

async fn write_outcome(control: &Control, outcome: &Outcome<'_>) -> Result<i64> {
    let operation = outcome.operation;
    let (phase, state) = match operation.state {
        OperationState::Unwinding { .. } => (Phase::Unwinding, TenantState::RollingBack),
        _ => (Phase::End, end_state(operation)),
    };
    let mut tx = control.begin().await?;
    write_progress(&mut tx, operation, outcome.journal).await?;
    move_tenant(&mut tx, operation.tenant_id, &["provisioning", "rolling_back"], &state).await?;
    if let Some(report) = outcome.report {
        reports::insert(&mut tx, operation.id, operation.tenant_id, report).await?;
    }
    let seq = audit::record(&mut tx, &entry(operation, outcome.actor, phase)).await?;
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
        (Phase::End, OperationState::Succeeded) => Some(audit_chain::Outcome::Ok),
        (Phase::End, _) => Some(audit_chain::Outcome::Failed),
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
