//! The upgrades of many tenants on record: those that begin together in one transaction, and those that ended meanwhile in one.
//!
//! Each has its own intent, journal, outcome and audit event, as if it were alone. What does not go this way (a failure, a lost answer,
//! a tenant whose state changed) is recorded one at a time by [`super`], which knows what to do then.

use std::ops::RangeInclusive;

use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::TenantState;

use crate::audit::Trail;
use crate::fault;
use crate::model::audit_chain::Entry;
use crate::model::operation::{Event, Kind};
use crate::model::tenant::beginning;
use crate::pipeline::arguments::Update;
use crate::pipeline::audit_entries::{self, Phase};
use crate::postgres::Result;
use crate::postgres::control::operations::{self, Context};
use crate::postgres::control::tenants;
use crate::postgres::control::upgraded::{self, UpgradedTenant};

use super::joint::{Joint, Written};
use super::{Intent, IntentAttempt, Lost, OperationOutcome, RecordedIntent, intent_after};

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
    let recorded = before.into_iter().cloned().zip(seqs(last, entries.len()));
    let recorded = recorded.map(|(before, seq)| RecordedIntent { seq, before, tenant: None }).collect();
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
pub(in crate::pipeline) struct Endings(Joint<Ended>);

/// An upgrade that succeeded.
#[derive(Debug)]
struct Ended {
    operation: Operation,
    journal: Vec<Event>,
    update: Update,
    version: BlueprintVersion,
    entry: Entry,
}

impl Endings {
    /// Records the outcome together with others. `None` if it has to be recorded alone, which may find that it is on record.
    pub(in crate::pipeline) async fn record(
        &self,
        trail: &Trail,
        outcome: &OperationOutcome<'_>,
    ) -> Option<RecordedEndings> {
        match self.0.write(Ended::of(outcome)?, |all| write_or_tell(trail, all)).await {
            Written::Here(recorded) => Some(recorded),
            Written::Elsewhere => Some(RecordedEndings::default()),
            Written::Not => None,
        }
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

async fn write_or_tell(trail: &Trail, all: Vec<Ended>) -> Option<RecordedEndings> {
    match write(trail, &all).await {
        Ok(recorded) => Some(recorded),
        Err(error) => {
            tracing::warn!(error = %error.explain(), upgrades = all.len(), "upgrades are recorded one at a time");
            None
        }
    }
}

async fn write(trail: &Trail, all: &[Ended]) -> Result<RecordedEndings> {
    // Everybody who holds several tenants takes them in this order.
    let mut all: Vec<&Ended> = all.iter().collect();
    all.sort_by_key(|ended| ended.operation.tenant_id);
    let entries: Vec<Entry> = all.iter().map(|ended| ended.entry.clone()).collect();
    let journal: Vec<(OperationId, &Event)> =
        all.iter().flat_map(|ended| ended.journal.iter().map(|event| (ended.operation.id, event))).collect();
    let operations: Vec<&Operation> = all.iter().map(|ended| &ended.operation).collect();
    let upgraded: Vec<UpgradedTenant<'_>> = all.iter().map(|ended| ended.upgraded()).collect();
    let tenants: Vec<TenantId> = upgraded.iter().map(|tenant| tenant.id).collect();
    let mut tx = trail.begin().await?;
    operations::journal(&mut tx, &journal).await?;
    operations::update(&mut tx, &operations).await?;
    tenants::hold_states(&mut tx, &tenants).await?;
    upgraded::note(&mut tx, &upgraded).await?;
    let last = tx.record_all(&entries).await?;
    fault::around("outcome", tx.commit("commit the outcomes")).await?;
    Ok(RecordedEndings { tenants, seqs: seqs(last, entries.len()).collect() })
}

/// The `seq`s of so many events, of which this is the last.
fn seqs(last: i64, events: usize) -> RangeInclusive<i64> {
    last + 1 - i64::try_from(events).unwrap_or_default()..=last
}
