//! The tenants of an upgrade whose turn it is: whether it makes sense for each, and how their operations begin.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::{BlueprintVersion, TargetName};
use tenantry_protocol::operation::OperationState;
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::tenant::{Tenant, TenantState};
use tenantry_protocol::upgrade::{Course, PauseCause, UnitState};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::pause::pause;
use super::rehearse::{self, Foresight};
use crate::commands::App;
use crate::commands::tenants::upgrade::{arguments_again, arguments_to};
use crate::fault;
use crate::model::blueprint::Blueprint;
use crate::model::operation::Kind;
use crate::pipeline::{Actor, Asked, ChangeJob};
use crate::postgres::control::tenants;
use crate::postgres::control::upgrade_units::{self, Footing};
use crate::postgres::error::doing;
use crate::postgres::target::Target;
use crate::postgres::{Error, Result};

/// How long a tenant waits to which something else is being done.
const BUSY_PAUSE_S: f64 = 1.0;

/// What all tenants of an upgrade have in common.
#[derive(Debug)]
pub(super) struct Brief {
    pub(super) id: UpgradeId,
    pub(super) to: Arc<Blueprint>,
    pub(super) course: Course,
    /// Who asked for the upgrade.
    pub(super) actor: Actor,
    /// The versions that nothing stands in the way of.
    pub(super) clear: Mutex<BTreeSet<BlueprintVersion>>,
    /// The targets and versions that were rehearsed.
    rehearsed: Mutex<BTreeSet<(TargetName, BlueprintVersion)>>,
}

impl Brief {
    pub(super) fn new(id: UpgradeId, to: Arc<Blueprint>, course: Course, actor: Actor) -> Self {
        Self { id, to, course, actor, clear: Mutex::default(), rehearsed: Mutex::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitTurn {
    /// The tenant has the version, or waits for another turn.
    Over,
    Failed,
    /// The target does not answer; nothing was begun.
    TargetDown,
}

/// What became of a tenant whose turn it was.
#[derive(Debug, Clone, Copy)]
pub(super) enum TurnTaken {
    Taken(UnitTurn),
    /// Its operation has begun.
    Begun(OperationId),
}

/// Gives tenants of one target their turn. The operations of those that can be upgraded now have begun when this returns, and wait
/// in the lane.
pub(super) async fn take_turns(
    app: &Arc<App>,
    brief: &Brief,
    pack: &[TenantId],
    lane: &Arc<Semaphore>,
    ask_target: bool,
) -> Result<Vec<(TenantId, TurnTaken)>> {
    let tenants = tenants::by_ids(app.control.pool(), pack).await?;
    let footings = upgrade_units::footings(app.control.pool(), brief.id, pack).await?;
    let (mut turns, mut jobs) = (Vec::new(), Vec::new());
    for id in pack {
        let Some(tenant) = tenants.iter().find(|tenant| tenant.id == *id) else {
            let reason = Some("there is no such tenant");
            turns.push((*id, TurnTaken::Taken(settle(app, brief, *id, UnitState::Skipped, reason).await?)));
            continue;
        };
        let footing = footings.iter().find(|footing| footing.tenant == *id);
        match prepare(app, brief, tenant, footing, ask_target).await? {
            Ok(job) => jobs.push(ChangeJob { lane: Some(Arc::clone(lane)), ..job }),
            Err(turn) => turns.push((*id, TurnTaken::Taken(turn))),
        }
    }
    if jobs.is_empty() {
        return Ok(turns);
    }
    let begins: Vec<TenantId> = jobs.iter().map(|job| job.tenant.id).collect();
    // In a task of its own, so that the end of this round leaves nothing half begun.
    let (task, upgrade) = (Arc::clone(app), brief.id);
    let begun = app
        .engine
        .tasks()
        .spawn(async move { Box::pin(task.engine.upgrade_many(upgrade, jobs)).await })
        .await
        .unwrap_or_else(|_| begins.iter().map(|_| Err(Error::Busy)).collect());
    for (id, begun) in begins.into_iter().zip(begun) {
        let turn = match begun {
            Ok(Some(operation)) => TurnTaken::Begun(operation),
            // Its state changed meanwhile, or the upgrade was paused.
            Ok(None) => TurnTaken::Taken(defer(app, brief, id).await?),
            Err(Error::Busy) => {
                app.let_verification_end(id).await;
                TurnTaken::Taken(defer(app, brief, id).await?)
            }
            Err(error) => return Err(error),
        };
        turns.push((id, turn));
    }
    Ok(turns)
}

/// Waits for the end of a tenant's operation.
pub(super) async fn end_of(app: &App, operation: OperationId) -> UnitTurn {
    let ended = app.engine.end_of(operation).await;
    let is_done = ended.is_none_or(|operation| operation.state == OperationState::Succeeded);
    if is_done { UnitTurn::Over } else { UnitTurn::Failed }
}

/// The tenant's upgrade, or its turn where there is none.
async fn prepare(
    app: &Arc<App>,
    brief: &Brief,
    tenant: &Tenant,
    footing: Option<&Footing>,
    ask_target: bool,
) -> Result<std::result::Result<ChangeJob<'static>, UnitTurn>> {
    let id = tenant.id;
    let is_there = match brief.course {
        Course::Forward => tenant.version >= brief.to.version,
        Course::Back => tenant.version <= brief.to.version,
    };
    if is_there {
        return settle(app, brief, id, UnitState::Current, None).await.map(Err);
    }
    if !matches!(tenant.state, TenantState::Active | TenantState::Suspended) {
        return pass_over(app, brief, tenant).await.map(Err);
    }
    let Ok(target) = app.target(tenant.target.as_str()) else { return Ok(Err(UnitTurn::TargetDown)) };
    if ask_target && target.acquire().await.is_err() {
        return Ok(Err(UnitTurn::TargetDown));
    }
    match rehearsed(app, brief, target, tenant.version).await? {
        Foresight::Clear => {}
        Foresight::Obstacle(obstacle) => {
            pause(app, brief.id, PauseCause::Rehearsal, obstacle).await?;
            return defer(app, brief, id).await.map(Err);
        }
        Foresight::Unknown if brief.course == Course::Back => return Ok(Err(UnitTurn::TargetDown)),
        Foresight::Unknown => {}
    }
    let is_clear = brief.clear.lock().unwrap_or_else(PoisonError::into_inner).contains(&tenant.version);
    let arguments = match is_clear {
        true => arguments_again(app, tenant, &brief.to, brief.course).await,
        false => arguments_to(app, tenant, &brief.to, brief.course).await,
    };
    let arguments = match arguments {
        Ok(arguments) => {
            brief.clear.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.version);
            arguments
        }
        Err(refusal) => {
            settle(app, brief, id, UnitState::Failed, Some(&refusal.message)).await?;
            return Ok(Err(UnitTurn::Failed));
        }
    };
    let build = match footing {
        Some(Footing { build, drifted_since: None, .. }) => *build,
        found => {
            let reason = no_footing(brief, tenant, found.and_then(|footing| footing.drifted_since));
            return settle(app, brief, id, UnitState::Skipped, Some(&reason)).await.map(Err);
        }
    };
    Ok(Ok(ChangeJob {
        actor: brief.actor.clone(),
        kind: Kind::Upgrade,
        tenant: tenant.clone(),
        target: Arc::clone(target),
        build,
        arguments,
        secret: None,
        asked: Asked { upgrade: Some(brief.id), ..Asked::default() },
        lane: None,
    }))
}

/// Why a tenant has nothing that an upgrade can build upon, in a sentence.
fn no_footing(brief: &Brief, tenant: &Tenant, drifted_since: Option<OffsetDateTime>) -> String {
    let Some(since) = drifted_since else { return "it has no build on record".to_owned() };
    let or = if brief.course == Course::Forward { ", or upgrade with --accept-drift" } else { "" };
    format!(
        "it has drifted, at the latest since {}: see `tenantry tenant drift {}`, and repair it{or}",
        since.date(),
        tenant.slug
    )
}

/// What is to be expected of this version on the target, where it was not rehearsed before the first tenant: the target did not
/// answer then, or the tenant came later.
async fn rehearsed(
    app: &Arc<App>,
    brief: &Brief,
    target: &Arc<Target>,
    from: BlueprintVersion,
) -> Result<Foresight> {
    let pair = (target.name().clone(), from);
    if brief.rehearsed.lock().unwrap_or_else(PoisonError::into_inner).contains(&pair) {
        return Ok(Foresight::Clear);
    }
    let foresight = rehearse::foresight(app, brief.id, target, from, &brief.to).await?;
    if matches!(foresight, Foresight::Clear) {
        brief.rehearsed.lock().unwrap_or_else(PoisonError::into_inner).insert(pair);
    }
    Ok(foresight)
}

/// A tenant whose state allows no upgrade: it is skipped, or it waits until something else that is done to it has ended.
async fn pass_over(app: &App, brief: &Brief, tenant: &Tenant) -> Result<UnitTurn> {
    let (stage, slug) = (tenant.state.stage(), &tenant.slug);
    let reason = match stage {
        TenantStage::Provisioning => return defer(app, brief, tenant.id).await,
        TenantStage::Retiring => {
            format!("it is being retired: `tenantry tenant resume {slug}` takes that back")
        }
        TenantStage::NeedsAttention => format!("it needs attention: see `tenantry tenant show {slug}`"),
        stage => format!("it is {}", stage.name()),
    };
    settle(app, brief, tenant.id, UnitState::Skipped, Some(&reason)).await
}

async fn settle(
    app: &App,
    brief: &Brief,
    id: TenantId,
    state: UnitState,
    reason: Option<&str>,
) -> Result<UnitTurn> {
    let mut tx = app.control.begin().await?;
    upgrade_units::settle(&mut tx, brief.id, id, state, reason).await?;
    let settled = async { tx.commit().await.map_err(doing("settle the tenant's part")) };
    fault::around("upgrade.settle", settled).await?;
    Ok(UnitTurn::Over)
}

async fn defer(app: &App, brief: &Brief, id: TenantId) -> Result<UnitTurn> {
    let mut tx = app.control.begin().await?;
    upgrade_units::defer(&mut tx, brief.id, id, BUSY_PAUSE_S).await?;
    tx.commit().await.map_err(doing("defer the tenant's part"))?;
    Ok(UnitTurn::Over)
}
