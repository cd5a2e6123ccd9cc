//! The control database's side of an operation: it records the intent before any effect, and the outcome in one
//! transaction with the tenant's state, the journal and the audit event.

mod joint;
pub(in crate::pipeline) mod together;

use std::time::Duration;

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::operation::{Failure, Operation, OperationState};
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::tenant::{Tenant, TenantState};
use tenantry_protocol::upgrade::UnitState;
use time::OffsetDateTime;

use crate::audit::{AuditedTx, Trail};
use crate::fault;
use crate::model::operation::{Event, Kind};
use crate::model::tenant::{after, beginning};
use crate::postgres::control::operations::Context;
use crate::postgres::control::tenants::NewTenant;
use crate::postgres::control::upgrade_units::{self, UnitEnd};
use crate::postgres::control::{operations, reports, tenants, upgraded};
use crate::postgres::{Error, Result};

use crate::pipeline::arguments::OperationArguments;
use crate::pipeline::audit_entries::{self, About, Phase, Recovered};
use crate::pipeline::backoff::Patience;
use crate::pipeline::job::Asked;

/// An operation as it is first written.
pub(in crate::pipeline) struct Intent<'a> {
    pub(in crate::pipeline) about: About<'a>,
    pub(in crate::pipeline) plan_hash: Option<&'a str>,
    pub(in crate::pipeline) arguments: &'a OperationArguments,
    pub(in crate::pipeline) asked: Asked<'a>,
}

/// The result of recording an intent.
#[derive(Debug)]
pub(in crate::pipeline) struct RecordedIntent {
    /// The sequence number of the audit event.
    pub(in crate::pipeline) seq: i64,
    /// The tenant's state before the operation.
    pub(in crate::pipeline) before: TenantState,
    /// The tenant with this operation; none if it has to be read.
    pub(in crate::pipeline) tenant: Option<Tenant>,
}

/// What was recorded of an operation that went on or ended.
#[derive(Debug)]
pub(in crate::pipeline) struct RecordedOutcome {
    /// The sequence number of the audit event.
    pub(in crate::pipeline) seq: i64,
    /// The tenant as it is now; none if it has to be read.
    pub(in crate::pipeline) tenant: Option<Tenant>,
}

/// How long a request waits to learn the outcome of a COMMIT whose answer was lost.
const INTENT_TIME: Duration = Duration::from_secs(10);

/// The result of an attempt to write an intent, or several.
enum IntentAttempt<R> {
    Done(R),
    /// A tenant's state does not allow its operation.
    Unfit,
    /// Nobody answered the COMMIT: it may have happened, or may happen yet.
    Lost(Error),
}

/// T0: records the intent and its audit event, with the new tenant or with the hold on the existing one. Returns `None`
/// if the existing tenant's state does not allow the operation.
pub(in crate::pipeline) async fn intent(
    trail: &Trail,
    intent: &Intent<'_>,
    new: Option<&NewTenant>,
) -> Result<Option<RecordedIntent>> {
    intent_after(trail, intent, new, Lost::default()).await
}

async fn intent_after(
    trail: &Trail,
    intent: &Intent<'_>,
    new: Option<&NewTenant>,
    mut lost: Lost,
) -> Result<Option<RecordedIntent>> {
    loop {
        match attempt(trail, intent, new).await {
            Ok(IntentAttempt::Done(recorded)) => return Ok(Some(recorded)),
            // A second attempt waits for the first one's rows, and then conflicts with them.
            Ok(IntentAttempt::Unfit) => return Ok(lost.found(trail, intent).await),
            Ok(IntentAttempt::Lost(error)) => lost.wait(error).await?,
            Err(error) => match lost.found(trail, intent).await {
                Some(recorded) => return Ok(Some(recorded)),
                None => lost.go_on(error).await?,
            },
        }
    }
}

async fn attempt(
    trail: &Trail,
    intent: &Intent<'_>,
    new: Option<&NewTenant>,
) -> Result<IntentAttempt<RecordedIntent>> {
    let About { operation, kind, .. } = intent.about;
    let mut tx = trail.begin().await?;
    let before = match new {
        Some(tenant) => {
            tenants::insert(&mut tx, tenant, operation.id).await?;
            TenantState::Provisioning
        }
        None => {
            let begins = beginning(kind);
            let state = tenants::hold_states(&mut tx, &[operation.tenant_id]).await?.pop();
            let Some((_, before)) = state.filter(|(_, state)| begins.from.contains(&state.stage())) else {
                return Ok(IntentAttempt::Unfit);
            };
            let before = stood_before(&mut tx, intent, before).await?;
            if let Some(during) = &begins.during {
                tenants::set_state(&mut tx, operation.tenant_id, begins.from, during).await?;
            }
            before
        }
    };
    let arguments = serde_json::to_value(intent.arguments).unwrap_or_default();
    let context = Context {
        plan_hash: intent.plan_hash,
        arguments: Some(&arguments),
        state_before: Some(&before),
        epoch: trail.control().epoch(),
    };
    operations::insert(&mut tx, &[(operation, context)]).await?;
    if let Some(key) = intent.asked.key {
        operations::insert_key(&mut tx, key, operation.id).await?;
    }
    operations::journal(&mut tx, &[(operation.id, &Event::Begun { kind })]).await?;
    if let Some(upgrade) = intent.asked.upgrade
        && !upgraded::begin(&mut tx, upgrade, &[(operation.tenant_id, operation.id)]).await?
    {
        return Ok(IntentAttempt::Unfit);
    }
    // Within the transaction, whose plans are kept.
    let tenant = tenants::by_ids(&mut *tx, &[operation.tenant_id]).await?.pop();
    let seq = tx
        .record(&audit_entries::intent(&intent.about, &intent.asked, intent.plan_hash, intent.arguments))
        .await?;
    match fault::around("intent", tx.commit("commit the intent")).await {
        Ok(()) => Ok(IntentAttempt::Done(RecordedIntent { seq, before, tenant })),
        Err(error) if error.is_unreachable() => Ok(IntentAttempt::Lost(error)),
        Err(error) => Err(error),
    }
}

/// The tenant's state before the operation. If the tenant needs attention because of the operation that is being retried,
/// this is its state before that operation: it returns to it once the retry has worked or is undone.
async fn stood_before(tx: &mut AuditedTx<'_>, intent: &Intent<'_>, now: TenantState) -> Result<TenantState> {
    let (TenantState::NeedsAttention { next_command, .. }, Some(earlier)) = (&now, intent.asked.retry_of)
    else {
        return Ok(now);
    };
    let before = operations::before_attention(tx, earlier, next_command).await?;
    let from = beginning(intent.about.kind).from;
    Ok(before.filter(|before| from.contains(&before.stage())).unwrap_or(now))
}

/// Whether the answer to an earlier attempt's COMMIT was lost, and how much longer to look for its outcome.
#[derive(Default)]
struct Lost {
    patience: Option<Patience>,
}

impl Lost {
    /// An answer was lost just now.
    fn one() -> Self {
        Self { patience: Some(Patience::lasting(INTENT_TIME)) }
    }

    async fn wait(&mut self, error: Error) -> Result<()> {
        tracing::warn!(error = %error.explain(), "the answer to a COMMIT was lost; finding out");
        self.patience.get_or_insert_with(|| Patience::lasting(INTENT_TIME)).outlast(error).await
    }

    /// Continues after an error if a COMMIT is still in doubt and the error is only that the server did not answer.
    async fn go_on(&mut self, error: Error) -> Result<()> {
        match &mut self.patience {
            Some(patience) => patience.outlast(error).await,
            None => Err(error),
        }
    }

    /// The record of the intent, if the lost COMMIT happened after all.
    async fn found(&self, trail: &Trail, intent: &Intent<'_>) -> Option<RecordedIntent> {
        self.patience.as_ref()?;
        let seq = recorded(trail, intent.about.operation).await?;
        let stored = operations::stored(trail.control().pool(), intent.about.operation.id).await.ok()??;
        Some(RecordedIntent { seq, before: stored.state_before?, tenant: None })
    }
}

/// The audit trail's newest event, if the recorded state of the operation is the one given here.
async fn recorded(trail: &Trail, operation: &Operation) -> Option<i64> {
    let stored = operations::by_id(trail.control().pool(), operation.id).await.ok()??;
    if stored.state.name() == operation.state.name() { trail.anchor_head().await.ok() } else { None }
}

/// How an operation went on or ended; its own state says which.
pub(in crate::pipeline) struct OperationOutcome<'a> {
    pub(in crate::pipeline) about: About<'a>,
    /// The tenant's state before the operation.
    pub(in crate::pipeline) before: &'a TenantState,
    pub(in crate::pipeline) arguments: Option<&'a OperationArguments>,
    /// The placements of the tenants that have the new version of the shared tables.
    pub(in crate::pipeline) members: &'a [PlacementName],
    /// What happened since the journal was last written.
    pub(in crate::pipeline) journal: &'a [Event],
    pub(in crate::pipeline) report: Option<&'a IsolationReport>,
    /// The decision made when the operation was taken over, if it is not on record yet.
    pub(in crate::pipeline) recovered: Option<Recovered>,
}

/// Records that an operation is being undone, or its outcome (T3). Retries without a limit: otherwise no daemon would own
/// the operation until the next start. A later daemon ends the retries.
pub(in crate::pipeline) async fn outcome(
    trail: &Trail,
    outcome: &OperationOutcome<'_>,
) -> Result<RecordedOutcome> {
    let mut patience = Patience::endless();
    let mut is_first = true;
    loop {
        let error = match write_outcome(trail, outcome).await {
            Ok(recorded) => return Ok(recorded),
            Err(error) => error,
        };
        // An attempt whose answer to COMMIT was lost may have succeeded.
        if let Some(seq) = recorded(trail, outcome.about.operation).await {
            return Ok(RecordedOutcome { seq, tenant: None });
        }
        if matches!(error, Error::Fenced | Error::Corrupt { .. }) {
            return Err(error);
        }
        if std::mem::take(&mut is_first) {
            tracing::warn!(operation = %outcome.about.operation.id, error = %error.explain(), "an operation cannot be recorded yet");
        }
        patience.pause().await;
    }
}

/// Records that an operation was taken over, or that its tenant is built again as `build`. Returns the `seq` of the audit
/// event if there was a recovery decision.
pub(in crate::pipeline) async fn journal(
    trail: &Trail,
    about: &About<'_>,
    events: &[Event],
    build: Option<(TenantId, OperationId)>,
    recovered: Option<Recovered>,
) -> Result<Option<i64>> {
    let operation = about.operation;
    let mut patience = Patience::endless();
    loop {
        let write = async {
            let mut tx = trail.begin().await?;
            operations::journal(&mut tx, &of_one(operation, events)).await?;
            if let Some((tenant, build)) = build {
                tenants::set_build(&mut tx, tenant, build).await?;
            }
            let seq = match recovered {
                Some(recovered) => {
                    Some(tx.record(&audit_entries::recovered(about, recovered, epoch(trail))).await?)
                }
                None => None,
            };
            fault::around("journal", tx.commit("commit the journal")).await?;
            Ok(seq)
        };
        match write.await {
            Ok(seq) => return Ok(seq),
            Err(error) if !Error::is_passing(&error) => return Err(error),
            // These events may be written twice without harm: they say the same.
            Err(_) => _ = patience.pause().await,
        }
    }
}

fn of_one<'a>(operation: &Operation, events: &'a [Event]) -> Vec<(OperationId, &'a Event)> {
    events.iter().map(|event| (operation.id, event)).collect()
}

fn epoch(trail: &Trail) -> i64 {
    trail.control().epoch()
}

async fn write_outcome(trail: &Trail, outcome: &OperationOutcome<'_>) -> Result<RecordedOutcome> {
    let OperationOutcome { arguments, .. } = *outcome;
    let About { operation, kind, .. } = outcome.about;
    let phase = if matches!(operation.state, OperationState::Unwinding { .. }) {
        Phase::Unwinding
    } else {
        Phase::End
    };
    let grace = arguments.and_then(|arguments| arguments.grace_s).unwrap_or(0);
    let purge_after = OffsetDateTime::now_utc() + Duration::from_secs(grace);
    let state = after(kind, operation, outcome.before, Some(purge_after));
    let mut tx = trail.begin().await?;
    operations::journal(&mut tx, &of_one(operation, outcome.journal)).await?;
    operations::update(&mut tx, &[operation]).await?;
    move_tenant(&mut tx, operation.tenant_id, kind, &state).await?;
    if let (OperationState::Succeeded, Some(update)) =
        (&operation.state, arguments.and_then(|arguments| arguments.update.as_ref()))
    {
        tenants::update(&mut tx, operation.tenant_id, &update.display_name, &update.labels, &update.settings)
            .await?;
    }
    if let (OperationState::Succeeded, Some(version)) =
        (&operation.state, arguments.and_then(|arguments| arguments.version))
    {
        upgraded::set_version(&mut tx, operation.tenant_id, outcome.members, version).await?;
    }
    record_login(&mut tx, operation, kind, arguments).await?;
    if kind == Kind::Upgrade && phase == Phase::End {
        upgrade_units::end(&mut tx, operation.id, &unit_end(&operation.state)).await?;
    }
    if let Some(report) = outcome.report {
        Box::pin(record_verdict(&mut tx, outcome, report)).await?;
    }
    if let Some(recovered) = outcome.recovered {
        tx.record(&audit_entries::recovered(&outcome.about, recovered, epoch(trail))).await?;
    }
    let tenant = tenants::by_ids(&mut *tx, &[operation.tenant_id]).await?.pop();
    let seq = tx.record(&audit_entries::of(&outcome.about, phase, arguments, outcome.report)).await?;
    let place = if phase == Phase::End { "outcome" } else { "unwinding" };
    fault::around(place, tx.commit("commit the outcome")).await?;
    Ok(RecordedOutcome { seq, tenant })
}

/// What the end of a tenant's operation means for the upgrade that it is a part of.
fn unit_end(state: &OperationState) -> UnitEnd {
    let failure = state.failure();
    UnitEnd {
        state: match state {
            OperationState::Succeeded => UnitState::Done,
            OperationState::NeedsAttention { .. } => UnitState::Partly,
            _ => UnitState::Failed,
        },
        failure_key: failure
            .map(Failure::kind)
            .or_else(|| matches!(state, OperationState::Cancelled).then(|| "cancelled".to_owned())),
        reason: failure.map(Failure::summary),
        was_locked_out: matches!(state, OperationState::RolledBack { failure } if failure.is_lock()),
    }
}

/// Stores the report; a verdict that turned bad is an event of its own.
async fn record_verdict(
    tx: &mut AuditedTx<'_>,
    outcome: &OperationOutcome<'_>,
    report: &IsolationReport,
) -> Result<()> {
    let operation = outcome.about.operation;
    let turn = reports::insert(tx, operation.id, operation.tenant_id, report).await?;
    if turn.is_bad(report) {
        tx.record(&audit_entries::broken(&outcome.about, report)).await?;
    }
    Ok(())
}

/// Records which login the tenant uses from now on.
async fn record_login(
    tx: &mut AuditedTx<'_>,
    operation: &Operation,
    kind: Kind,
    arguments: Option<&OperationArguments>,
) -> Result<()> {
    let login = arguments.and_then(|arguments| arguments.login.as_deref());
    match (kind, &operation.state, login) {
        (Kind::IssueCredentials | Kind::RotateCredentials, OperationState::Succeeded, Some(login)) => {
            tenants::set_credentials_issued(tx, operation.tenant_id, login).await
        }
        (Kind::FinishRotation, OperationState::Succeeded, _) => {
            tenants::set_rotation_finished(tx, operation.tenant_id).await
        }
        _ => Ok(()),
    }
}

async fn move_tenant(tx: &mut AuditedTx<'_>, id: TenantId, kind: Kind, to: &TenantState) -> Result<()> {
    let begins = beginning(kind);
    let mut from = begins.from.to_vec();
    from.extend(begins.during.as_ref().map(TenantState::stage));
    if let Kind::Provision { .. } = kind {
        from.push(TenantStage::RollingBack);
    }
    if tenants::set_state(tx, id, &from, to).await? {
        Ok(())
    } else {
        Err(Error::Corrupt { what: "the tenant's state", why: format!("{id} cannot become {}", to.name()) })
    }
}
