//! The upgrades of many tenants on record: those that begin together in one transaction, and those that ended meanwhile in one.
//!
//! Each has its own intent, journal, outcome and audit event, as if it were alone. What does not go this way (a failure, a lost answer,
//! a tenant whose state changed) is recorded one at a time by [`super`], which knows what to do then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::TenantState;
use tokio::sync::oneshot;

use crate::audit::Trail;
use crate::fault;
use crate::model::audit_chain::Entry;
use crate::model::operation::{Event, Kind};
use crate::model::tenant::beginning;
use crate::pipeline::arguments::Update;
use crate::pipeline::audit_entries::{self, Phase};
use crate::postgres::control::operations::{self, Context};
use crate::postgres::control::tenants;
use crate::postgres::control::upgraded::{self, UpgradedTenant};
use crate::postgres::{Error, Result};

use super::{Intent, IntentAttempt, Lost, OperationOutcome, RecordedIntent, intent_after};

/// How long an upgrade that ended waits for others, so that they are recorded together.
const LINGER: Duration = Duration::from_millis(20);

/// Like [`super::intent`] for each of several upgrades. All of them are on record together, or else each for itself.
pub(in crate::pipeline) async fn intents(
    trail: &Trail,
    upgrade: UpgradeId,
    intents: &[Intent<'_>],
) -> Vec<Result<Option<RecordedIntent>>> {
    let lost = match attempt(trail, upgrade, intents).await {
        Ok(IntentAttempt::Done(recorded)) => return recorded.into_iter().map(|one| Ok(Some(one))).collect(),
        Ok(IntentAttempt::Lost(_)) => true,
        // Each of them finds for itself what is in its way.
        Ok(IntentAttempt::Unfit) | Err(_) => false,
    };
    let mut recorded = Vec::with_capacity(intents.len());
    for intent in intents {
        let lost = if lost { Lost::one() } else { Lost::default() };
        recorded.push(intent_after(trail, intent, None, lost).await);
    }
    recorded
}

/// Records these intents, if each of the tenants can be upgraded now. They are returned in the order of `intents`.
async fn attempt(
    trail: &Trail,
    upgrade: UpgradeId,
    intents: &[Intent<'_>],
) -> Result<IntentAttempt<Vec<RecordedIntent>>> {
    let begins = beginning(Kind::Upgrade);
    let tenants: Vec<TenantId> = intents.iter().map(|intent| intent.about.operation.tenant_id).collect();
    let mut tx = trail.begin().await?;
    let states = tenants::hold_states(&mut tx, &tenants).await?;
    let before: Vec<&TenantState> = tenants
        .iter()
        .filter_map(|id| states.iter().find(|(held, _)| held == id))
        .map(|(_, state)| state)
        .filter(|state| begins.from.contains(&state.stage()))
        .collect();
    if before.len() != intents.len() {
        return Ok(IntentAttempt::Unfit);
    }
    let arguments: Vec<serde_json::Value> =
        intents.iter().map(|intent| serde_json::to_value(intent.arguments).unwrap_or_default()).collect();
    let epoch = trail.control().epoch();
    let begun: Vec<(&Operation, Context<'_>)> = intents
        .iter()
        .zip(before.iter().zip(&arguments))
        .map(|(intent, (before, arguments))| {
            let context =
                Context { plan_hash: None, arguments: Some(arguments), state_before: Some(before), epoch };
            (intent.about.operation, context)
        })
        .collect();
    operations::insert(&mut tx, &begun).await?;
    let event = Event::Begun { kind: Kind::Upgrade };
    let journal: Vec<(OperationId, &Event)> =
        begun.iter().map(|(operation, _)| (operation.id, &event)).collect();
    operations::journal(&mut tx, &journal).await?;
    let units: Vec<(TenantId, OperationId)> =
        begun.iter().map(|(operation, _)| (operation.tenant_id, operation.id)).collect();
    if !upgraded::begin(&mut tx, upgrade, &units).await? {
        return Ok(IntentAttempt::Unfit);
    }
    let entries: Vec<Entry> = intents
        .iter()
        .map(|intent| audit_entries::intent(&intent.about, &intent.asked, None, intent.arguments))
        .collect();
    let last = tx.record_all(&entries).await?;
    let first = last + 1 - i64::try_from(entries.len()).unwrap_or_default();
    let recorded = before.into_iter().cloned().zip(first..);
    let recorded = recorded.map(|(before, seq)| RecordedIntent { seq, before }).collect();
    match fault::around("intent", tx.commit("commit the intents")).await {
        Ok(()) => Ok(IntentAttempt::Done(recorded)),
        Err(error) if error.is_unreachable() => Ok(IntentAttempt::Lost(error)),
        Err(error) => Err(error),
    }
}

/// What the one who wrote for others tells the watchers: which tenants changed, and the `seq`s of their audit events. Nothing if
/// another one tells them.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct RecordedEndings {
    pub(in crate::pipeline) tenants: Vec<TenantId>,
    pub(in crate::pipeline) seqs: Vec<i64>,
}

/// The upgrades that have ended and are to be recorded together.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Endings {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by the one that writes for all.
    writing: tokio::sync::Mutex<()>,
}

/// An upgrade that succeeded.
#[derive(Debug)]
struct Ended {
    operation: Operation,
    journal: Vec<Event>,
    update: Update,
    version: BlueprintVersion,
    entry: Entry,
}

#[derive(Debug)]
struct Waiting {
    ended: Ended,
    /// It is on record.
    told: oneshot::Sender<()>,
}

impl Endings {
    /// Records the outcome together with others. `None` if it has to be recorded alone, which may find that it is on record.
    pub(in crate::pipeline) async fn record(
        &self,
        trail: &Trail,
        outcome: &OperationOutcome<'_>,
    ) -> Option<RecordedEndings> {
        let ended = Ended::of(outcome)?;
        let (told, mut answer) = oneshot::channel();
        self.waiting().push(Waiting { ended, told });
        let _writing = self.writing.lock().await;
        if answer.try_recv().is_ok() {
            return Some(RecordedEndings::default());
        }
        tokio::time::sleep(LINGER).await;
        let all = std::mem::take(&mut *self.waiting());
        let first = match write(trail, &all).await {
            Ok(first) => first,
            Err(error) => {
                tracing::warn!(error = %error.explain(), upgrades = all.len(), "upgrades are recorded one at a time");
                return None;
            }
        };
        let tenants = all.iter().map(|waiting| waiting.ended.operation.tenant_id).collect();
        let seqs = (first..).take(all.len()).collect();
        for waiting in all {
            // The one that waited is gone if the daemon lost the fence.
            waiting.told.send(()).ok();
        }
        Some(RecordedEndings { tenants, seqs })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ended {
    /// `None` unless it succeeded, and changed that one tenant.
    fn of(outcome: &OperationOutcome<'_>) -> Option<Self> {
        let (operation, arguments) = (outcome.about.operation, outcome.arguments?);
        let is_plain = outcome.about.kind == Kind::Upgrade
            && operation.state == OperationState::Succeeded
            && outcome.members.is_empty()
            && outcome.report.is_none()
            && outcome.recovered.is_none();
        if !is_plain {
            return None;
        }
        Some(Self {
            operation: operation.clone(),
            journal: outcome.journal.to_vec(),
            update: arguments.update.clone()?,
            version: arguments.version?,
            entry: audit_entries::of(&outcome.about, Phase::End, Some(arguments), None),
        })
    }

    fn upgraded(&self) -> UpgradedTenant<'_> {
        UpgradedTenant {
            id: self.operation.tenant_id,
            operation: self.operation.id,
            version: self.version,
            display_name: &self.update.display_name,
            labels: &self.update.labels,
            settings: &self.update.settings,
        }
    }
}

/// Returns the `seq` of the first one's audit event; the others follow it.
async fn write(trail: &Trail, all: &[Waiting]) -> Result<i64, Error> {
    let mut all: Vec<&Ended> = all.iter().map(|waiting| &waiting.ended).collect();
    let entries: Vec<Entry> = all.iter().map(|ended| ended.entry.clone()).collect();
    // Everybody who holds several tenants takes them in this order.
    all.sort_by_key(|ended| ended.operation.tenant_id);
    let journal: Vec<(OperationId, &Event)> =
        all.iter().flat_map(|ended| ended.journal.iter().map(|event| (ended.operation.id, event))).collect();
    let operations: Vec<&Operation> = all.iter().map(|ended| &ended.operation).collect();
    let tenants: Vec<UpgradedTenant<'_>> = all.iter().map(|ended| ended.upgraded()).collect();
    let ids: Vec<TenantId> = tenants.iter().map(|tenant| tenant.id).collect();
    let mut tx = trail.begin().await?;
    operations::journal(&mut tx, &journal).await?;
    operations::update(&mut tx, &operations).await?;
    tenants::hold_states(&mut tx, &ids).await?;
    upgraded::note(&mut tx, &tenants).await?;
    let last = tx.record_all(&entries).await?;
    fault::around("outcome", tx.commit("commit the outcomes")).await?;
    Ok(last + 1 - i64::try_from(entries.len()).unwrap_or_default())
}
