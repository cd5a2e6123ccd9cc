//! `upgrade_rehearse`, and the rehearsal before an upgrade's first tenant: for each target and each version that tenants have there.
//!
//! Invariant: no tenant is changed. A version that does not go through on a blank placement, or leads to something other than what a
//! new tenant has, pauses its upgrade before a tenant notices.

use std::sync::Arc;
use std::time::Duration;

use tenantry_protocol::brief::{self, LONGEST_ACCOUNT, PAGE_BYTES};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::name::{BlueprintVersion, TargetName};
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::upgrade::rehearsal::{MOST_RELATIONS, Rehearsal, RehearsalState, RehearsedLock};
use tenantry_protocol::upgrade::{PauseCause, Upgrade, UpgradePlan, UpgradeRequest, UpgradeState};
use tenantry_protocol::watch::EventBody;
use tokio_util::sync::CancellationToken;

use super::pause::pause;
use super::plan::{self, PlannedUpgrade};
use crate::commands::{App, Caller, errors};
use crate::model::blueprint::Blueprint;
use crate::model::fingerprint::Difference;
use crate::model::rehearsal::{LockMode, Rehearsed};
use crate::pipeline::RehearsalError;
use crate::postgres::control::{rehearsals, upgrades};
use crate::postgres::error::doing;
use crate::postgres::target::Target;
use crate::postgres::{Error, Result};

/// The pause before a target that did not answer is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
const CORRECT_NEXT: &str =
    "no tenant was changed. Cancel it with `tenantry upgrade cancel`, and correct the next version";
const CORRECT_UNDO: &str = "no tenant was changed. Cancel it with `tenantry upgrade cancel`, correct the undo files, and add the \
                            version again with them";
/// How many differences a sentence names.
const MOST_SHOWN: usize = 5;

pub async fn upgrade_rehearse(
    app: &Arc<App>,
    _: &Caller,
    request: UpgradeRequest,
) -> Result<UpgradePlan, ApiError> {
    let PlannedUpgrade { mut plan, selection, .. } = plan::look(app, &request).await?;
    if plan.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Ok(plan);
    }
    let to = Arc::clone(&app.blueprint(&plan.blueprint, Some(plan.version)).await?.blueprint);
    let pairs =
        rehearsals::of_selection(app.control.pool(), &plan.blueprint, plan.version, plan.course, &selection)
            .await;
    for (name, from) in pairs.map_err(errors::control)? {
        let target = Arc::clone(app.target(name.as_str())?);
        let earlier = Arc::clone(&app.blueprint(&plan.blueprint, Some(from)).await?.blueprint);
        let tried = tried(app, &target, &earlier, &to).await?;
        plan.findings.extend(findings(&tried, &to, request.accept_drift));
        plan.rehearsals.push(report(name, from, tried));
    }
    let mut known = std::collections::HashSet::new();
    plan.findings
        .retain(|finding| known.insert((finding.code.clone(), finding.message.clone(), finding.line)));
    brief::fit(&mut plan.rehearsals, PAGE_BYTES);
    Ok(plan)
}

/// Rehearses what the tenants of an upgrade need, and lets it run. Returns whether it runs then. What was rehearsed before is not
/// rehearsed again.
pub(super) async fn before_the_first(app: &Arc<App>, upgrade: &Upgrade, to: &Arc<Blueprint>) -> Result<bool> {
    for (name, from) in rehearsals::of_upgrade(app.control.pool(), upgrade.id).await? {
        // Its tenants wait for a target that is not in the configuration.
        let Ok(target) = app.target(name.as_str()) else { continue };
        let foresight = tokio::select! {
            foresight = foresight(app, upgrade.id, target, from, to) => foresight?,
            closed = closed(app, upgrade.id) => return closed.map(|()| false),
        };
        // A target that does not answer holds up nobody here: the first of its tenants comes here again.
        if let Foresight::Obstacle(obstacle) = foresight {
            pause(app, upgrade.id, PauseCause::Rehearsal, obstacle).await?;
            return Ok(false);
        }
    }
    if upgrade.state == UpgradeState::Running {
        return Ok(true);
    }
    let mut tx = app.control.begin().await?;
    let is_rehearsing = upgrades::hold(&mut tx, upgrade.id).await?.as_deref() == Some("rehearsing");
    if is_rehearsing {
        upgrades::set_state(&mut tx, upgrade.id, &UpgradeState::Running).await?;
    }
    tx.commit().await.map_err(doing("let the upgrade run"))?;
    if is_rehearsing && let Some(upgrade) = upgrades::by_id(app.control.pool(), upgrade.id).await? {
        app.events.publish(EventBody::Upgrade { upgrade: Box::new(upgrade) });
    }
    Ok(is_rehearsing)
}

/// Waits until somebody has paused or cancelled the upgrade.
async fn closed(app: &App, id: UpgradeId) -> Result<()> {
    let mut changed = app.upgrades_changed.subscribe();
    loop {
        let now = upgrades::by_id(app.control.pool(), id).await?.map(|upgrade| upgrade.state);
        if !matches!(now, Some(UpgradeState::Rehearsing | UpgradeState::Running)) {
            return Ok(());
        }
        if changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What a rehearsal says of the tenants of one version on one target.
#[derive(Debug)]
pub(super) enum Foresight {
    Clear,
    /// Why they must not begin, in a sentence.
    Obstacle(String),
    /// The target did not answer, so that nobody knows. Tenants that go forward wait for it anyway; nobody goes back unproven.
    Unknown,
}

/// What is to be expected of tenants of this version on this target.
pub(super) async fn foresight(
    app: &Arc<App>,
    upgrade: UpgradeId,
    target: &Arc<Target>,
    from: BlueprintVersion,
    to: &Arc<Blueprint>,
) -> Result<Foresight> {
    let earlier = match app.blueprint(&to.name, Some(from)).await {
        Ok(earlier) => Arc::clone(&earlier.blueprint),
        Err(error) if error.code == ErrorCode::Unavailable => return Err(Error::LeaseLapsed),
        Err(error) => return Ok(Foresight::Obstacle(error.message)),
    };
    if earlier.tenancy != to.tenancy {
        // Each tenant is refused for that.
        return Ok(Foresight::Clear);
    }
    let tried = tried(app, target, &earlier, to).await.map_err(|_| Error::Busy)?;
    let is_back = to.version < from;
    let advice = if is_back { CORRECT_UNDO } else { CORRECT_NEXT };
    Ok(match tried {
        Ok(rehearsed) if rehearsed.differences.is_empty() => Foresight::Clear,
        Ok(_) if rehearsals::accepts_drift(app.control.pool(), upgrade).await? => Foresight::Clear,
        Ok(rehearsed) => {
            let why = differs(&rehearsed.differences, to);
            let or = if is_back { "" } else { ", or upgrade with --accept-drift" };
            let told = format!("from {from} on {}: {why}; {advice}{or}", target.name());
            Foresight::Obstacle(brief::cut(&told, LONGEST_ACCOUNT))
        }
        Err(RehearsalError::Refused(why)) => {
            let told =
                format!("the rehearsal from {from} on {} did not go through: {why}; {advice}", target.name());
            Foresight::Obstacle(brief::cut(&told, 2 * LONGEST_ACCOUNT))
        }
        Err(RehearsalError::Control(error)) => return Err(error),
        Err(RehearsalError::Target(error)) => {
            tracing::warn!(target = %target.name(), error = %error.explain(), "an upgrade could not be rehearsed yet");
            Foresight::Unknown
        }
    })
}

/// Nothing stands in the way of a tenant that goes back from this version: a rehearsal has gone through on its target.
pub(in crate::commands) async fn check_way_back(
    app: &Arc<App>,
    target: &Arc<Target>,
    from: &Arc<Blueprint>,
    to: &Arc<Blueprint>,
) -> Result<(), ApiError> {
    let why = match tried(app, target, from, to).await? {
        Ok(rehearsed) if rehearsed.differences.is_empty() => return Ok(()),
        Ok(rehearsed) => differs(&rehearsed.differences, to),
        Err(RehearsalError::Refused(why)) => why,
        Err(RehearsalError::Control(error) | RehearsalError::Target(error)) => error.explain(),
    };
    let told = format!("the way back from {} is not proven: {why}", from.version);
    Err(ApiError::new(ErrorCode::Precondition, brief::cut(&told, LONGEST_ACCOUNT)))
}

/// In a task of its own, so that the placement is removed. It ends early once nobody waits for the answer.
async fn tried(
    app: &Arc<App>,
    target: &Arc<Target>,
    from: &Arc<Blueprint>,
    to: &Arc<Blueprint>,
) -> Result<Result<Arc<Rehearsed>, RehearsalError>, ApiError> {
    let (engine, target, from, to) =
        (app.engine.clone(), Arc::clone(target), Arc::clone(from), Arc::clone(to));
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    app.detached(async move { Ok(engine.rehearse(&target, &from, &to, &stop).await) }).await
}

fn differs(differences: &[Difference], to: &Blueprint) -> String {
    let mut named: Vec<String> = differences.iter().take(MOST_SHOWN).map(Difference::headline).collect();
    if differences.len() > MOST_SHOWN {
        named.push(format!("and {} more", differences.len() - MOST_SHOWN));
    }
    format!(
        "an upgraded tenant would be other than a new one of {} ({}; - is missing, + is extra, ~ is changed)",
        to.version,
        named.join(", ")
    )
}

/// What was seen, as findings of the plan.
fn findings(
    tried: &Result<Arc<Rehearsed>, RehearsalError>,
    to: &Blueprint,
    accept_drift: bool,
) -> Vec<Finding> {
    let rehearsed = match tried {
        Ok(rehearsed) => rehearsed,
        Err(RehearsalError::Refused(why)) => {
            return vec![Finding::new(Severity::Error, "rehearsal", format!("the rehearsal failed: {why}"))];
        }
        Err(RehearsalError::Control(error) | RehearsalError::Target(error)) => {
            let message = format!("nobody can tell what the upgrade would do: {}", error.explain());
            return vec![Finding::warning("rehearsal", message)];
        }
    };
    let mut found = Vec::new();
    for relation in rehearsed.rewritten() {
        let message =
            format!("rewrites {relation}: it is locked for as long as that takes with a tenant's rows");
        found.push(Finding::warning("rehearsal_rewrites", message));
    }
    for lock in rehearsed.locks() {
        if lock.kind == "table" && lock.mode == LockMode::AccessExclusive {
            let message = format!(
                "takes {} on {}: nobody reads or writes it until the COMMIT",
                lock.mode.sql(),
                lock.name
            );
            found.push(Finding::warning("rehearsal_locks", message));
        }
    }
    found.truncate(MOST_RELATIONS);
    if !rehearsed.differences.is_empty() {
        let severity = if accept_drift { Severity::Warning } else { Severity::Error };
        found.push(Finding::new(severity, "rehearsal_differs", differs(&rehearsed.differences, to)));
    }
    found
}

fn report(
    target: TargetName,
    from: BlueprintVersion,
    tried: Result<Arc<Rehearsed>, RehearsalError>,
) -> Rehearsal {
    let mut report = Rehearsal {
        target,
        from,
        state: RehearsalState::Unknown,
        reason: None,
        locks: Vec::new(),
        rewritten: Vec::new(),
        differences: Vec::new(),
        left_out: 0,
        duration_ms: None,
        fingerprint: None,
    };
    let rehearsed = match tried {
        Ok(rehearsed) => rehearsed,
        Err(RehearsalError::Refused(why)) => {
            (report.state, report.reason) = (RehearsalState::Refused, Some(why));
            return report;
        }
        Err(RehearsalError::Control(error) | RehearsalError::Target(error)) => {
            report.reason = Some(error.explain());
            return report;
        }
    };
    let is_same = rehearsed.differences.is_empty();
    report.state = if is_same { RehearsalState::Passed } else { RehearsalState::Differs };
    report.locks = rehearsed
        .locks()
        .into_iter()
        .map(|lock| RehearsedLock {
            relation: lock.name,
            kind: lock.kind.to_owned(),
            mode: lock.mode.sql().to_owned(),
        })
        .collect();
    report.rewritten = rehearsed.rewritten().into_iter().map(str::to_owned).collect();
    report.differences = rehearsed.differences.iter().map(Difference::headline).collect();
    let lengths = [report.locks.len(), report.rewritten.len(), report.differences.len()];
    report.left_out = lengths.into_iter().map(|length| length.saturating_sub(MOST_RELATIONS) as u64).sum();
    report.locks.truncate(MOST_RELATIONS);
    report.rewritten.truncate(MOST_RELATIONS);
    report.differences.truncate(MOST_RELATIONS);
    report.duration_ms = Some(u64::try_from(rehearsed.duration.as_millis()).unwrap_or(u64::MAX));
    report.fingerprint = Some(rehearsed.fingerprint.clone());
    report
}

/// Removes, at the beginning of a term, what rehearsals of earlier daemons left on each target; never returns by itself.
pub async fn sweep_rehearsals(app: &Arc<App>) {
    let mut left: Vec<Arc<Target>> = app.targets.clone();
    while !left.is_empty() {
        let mut again = Vec::new();
        for target in left {
            if let Err(error) = app.engine.sweep_rehearsals(&target).await {
                tracing::debug!(target = %target.name(), error = %error.explain(), "nobody could look for left rehearsals");
                again.push(target);
            }
        }
        left = again;
        if !left.is_empty() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    std::future::pending().await
}
