//! `upgrade_pause`, `upgrade_resume`, `upgrade_cancel`, `upgrade_retry`: an operator's hand on an upgrade of many tenants.
//!
//! Asking again for what is so already changes nothing, and succeeds.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::upgrade::{PauseCause, Upgrade, UpgradeChangeRequest, UpgradeState};

use crate::audit::AuditedTx;
use crate::commands::{App, Caller, errors};
use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::Error;
use crate::postgres::control::{upgrade_units, upgrades};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Pause,
    Resume,
    Cancel,
    Retry,
}

pub async fn upgrade_pause(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeChangeRequest,
) -> Result<Upgrade, ApiError> {
    lay_hand(app, caller, request, Hand::Pause).await
}

pub async fn upgrade_resume(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeChangeRequest,
) -> Result<Upgrade, ApiError> {
    lay_hand(app, caller, request, Hand::Resume).await
}

pub async fn upgrade_cancel(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeChangeRequest,
) -> Result<Upgrade, ApiError> {
    lay_hand(app, caller, request, Hand::Cancel).await
}

pub async fn upgrade_retry(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeChangeRequest,
) -> Result<Upgrade, ApiError> {
    lay_hand(app, caller, request, Hand::Retry).await
}

async fn lay_hand(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeChangeRequest,
    hand: Hand,
) -> Result<Upgrade, ApiError> {
    let upgrade = app.find_upgrade(request.upgrade.as_deref()).await?;
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move {
        match change(&task, &actor, &upgrade, hand).await {
            Ok(Ok(Some(seq))) => task.upgrade_changed(upgrade.id, seq).await,
            Ok(Ok(None)) => task.find_upgrade(Some(&upgrade.id.to_string())).await,
            Ok(Err(refusal)) => Err(refusal),
            Err(Error::Busy) => {
                let message =
                    format!("another upgrade of {} is open: cancel it, or let it end", upgrade.blueprint);
                Err(ApiError::new(ErrorCode::Conflict, message))
            }
            Err(error) => Err(errors::control(error)),
        }
    })
    .await
}

/// Records the change. Returns `None` if there was nothing to change.
async fn change(
    app: &App,
    actor: &Actor,
    upgrade: &Upgrade,
    hand: Hand,
) -> Result<Result<Option<i64>, ApiError>, Error> {
    let mut tx = app.trail.begin().await?;
    let Some(state) = upgrades::hold(&mut tx, upgrade.id).await? else { return Ok(Err(errors::internal())) };
    let entry = match apply(&mut tx, actor, upgrade, hand, &state).await? {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(Ok(None)),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let seq = tx.record(&entry.fact("upgrade", upgrade.id).fact("blueprint", &upgrade.blueprint)).await?;
    fault::around("upgrade.hand", tx.commit("commit the change of the upgrade")).await?;
    Ok(Ok(Some(seq)))
}

async fn apply(
    tx: &mut AuditedTx<'_>,
    actor: &Actor,
    upgrade: &Upgrade,
    hand: Hand,
    state: &str,
) -> Result<Result<Option<Entry>, ApiError>, Error> {
    let (id, is_open) = (upgrade.id, matches!(state, "rehearsing" | "running" | "paused"));
    let entry = |action| Entry { outcome: Some(Outcome::Ok), ..Entry::new(action, actor.clone()) };
    let refuse = |why: String| Ok(Err(ApiError::new(ErrorCode::Precondition, why).on_field("upgrade")));
    match (hand, state) {
        (Hand::Pause, "paused") | (Hand::Resume, "rehearsing" | "running") | (Hand::Cancel, "cancelled") => {
            Ok(Ok(None))
        }
        (Hand::Pause, "rehearsing" | "running") => {
            let reason = format!("paused by {}", actor.name);
            let paused = UpgradeState::Paused { by: PauseCause::Operator, reason };
            upgrades::set_state(tx, id, &paused).await?;
            Ok(Ok(Some(entry("blueprint.upgrade.pause"))))
        }
        (Hand::Resume, "paused") => {
            upgrades::resume(tx, id).await?;
            Ok(Ok(Some(entry("blueprint.upgrade.resume"))))
        }
        (Hand::Cancel, _) if is_open => {
            upgrades::set_state(tx, id, &UpgradeState::Cancelled).await?;
            Ok(Ok(Some(entry("blueprint.upgrade.cancel"))))
        }
        (Hand::Retry, _) => {
            let tenants = upgrade_units::retry(tx, id).await?;
            if tenants == 0 {
                return refuse(format!(
                    "nothing failed in this upgrade of {}: there is nothing to try again",
                    upgrade.blueprint
                ));
            }
            match state {
                "rehearsing" | "running" => {}
                // An ended one is opened again.
                "paused" => upgrades::resume(tx, id).await?,
                _ => upgrades::reopen(tx, id).await?,
            }
            Ok(Ok(Some(entry("blueprint.upgrade.retry").fact("tenants", tenants))))
        }
        _ => refuse(format!(
            "the {0} of {1} to {2} is {state}: begin another with `tenantry blueprint {0} {1}@{2}`",
            upgrade.course.noun(),
            upgrade.blueprint,
            upgrade.version
        )),
    }
}
