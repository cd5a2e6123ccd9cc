//! `upgrade` and `downgrade`: records an upgrade of many tenants with those that are behind now, or ahead of an earlier version, and
//! leaves it to the round.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::upgrade::{Course, DowngradeRequest, UpgradeRequest, UpgradeStarted, UpgradeState};

use super::plan::{self, PlannedUpgrade};
use crate::commands::idempotency::check_key;
use crate::commands::{App, Caller, errors};
use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::Error;
use crate::postgres::control::blueprints;
use crate::postgres::control::upgrade_units;
use crate::postgres::control::upgrades::{self, NewUpgrade};

pub async fn upgrade(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeRequest,
) -> Result<UpgradeStarted, ApiError> {
    if request.course == Course::Back {
        let message = "tenants go back with `downgrade`, which asks for the blueprint's name again";
        return Err(ApiError::invalid("course", message));
    }
    accept(app, caller, request).await
}

/// `downgrade`: the same, for tenants that go back to an earlier version.
pub async fn downgrade(
    app: &Arc<App>,
    caller: &Caller,
    request: DowngradeRequest,
) -> Result<UpgradeStarted, ApiError> {
    let DowngradeRequest { upgrade, confirm } = request;
    if confirm != upgrade.blueprint {
        let message = format!(
            "a downgrade takes what later versions added, with what tenants wrote into it: confirm it with the blueprint's name, {}",
            upgrade.blueprint.escape_debug()
        );
        return Err(ApiError::invalid("confirm", message));
    }
    accept(app, caller, UpgradeRequest { course: Course::Back, ..upgrade }).await
}

async fn accept(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeRequest,
) -> Result<UpgradeStarted, ApiError> {
    check_key(request.idempotency_key.as_deref())?;
    let same = UpgradeRequest { idempotency_key: None, ..request.clone() };
    let digest: [u8; 32] = Sha256::digest(serde_json::to_vec(&same).map_err(|_| errors::internal())?).into();
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { begin(&task, &actor, &request, digest).await }).await
}

async fn begin(
    app: &App,
    actor: &Actor,
    request: &UpgradeRequest,
    digest: [u8; 32],
) -> Result<UpgradeStarted, ApiError> {
    let key = request.idempotency_key.as_deref();
    if let Some(started) = replayed(app, actor, key, &digest).await? {
        return Ok(started);
    }
    let planned = plan::look(app, request).await?;
    plan::check(&planned.plan, request.approve.as_deref())?;
    let id = UpgradeId::generate();
    match record(app, actor, id, &planned, key.map(|key| (key, &digest[..])), digest).await {
        Ok(None) => {
            let message = format!(
                "what takes versions of {} back was changed a moment ago: look at the plan again",
                planned.plan.blueprint
            );
            Err(ApiError::new(ErrorCode::Precondition, message))
        }
        Ok(Some(seq)) => Ok(UpgradeStarted { upgrade: app.upgrade_changed(id, seq).await?, replayed: false }),
        Err(Error::Busy) => match replayed(app, actor, key, &digest).await? {
            Some(started) => Ok(started),
            None => {
                let message = format!(
                    "another upgrade of {} is open: see `tenantry upgrade show`, and resume or cancel it",
                    planned.plan.blueprint
                );
                Err(ApiError::new(ErrorCode::Conflict, message))
            }
        },
        Err(error) => {
            // Its COMMIT may have happened, though nobody heard of it.
            app.upgrades_changed.send_modify(|changes| *changes += 1);
            Err(errors::control(error))
        }
    }
}

/// Records it, unless what takes versions back is not what was planned with.
async fn record(
    app: &App,
    actor: &Actor,
    id: UpgradeId,
    PlannedUpgrade { plan, selection, pace, undo }: &PlannedUpgrade,
    key: Option<(&str, &[u8])>,
    digest: [u8; 32],
) -> Result<Option<i64>, Error> {
    let new = NewUpgrade {
        id,
        blueprint: &plan.blueprint,
        version: plan.version,
        course: plan.course,
        selection,
        pace,
        actor: &actor.name,
        plan_hash: &plan.hash,
        key,
    };
    let mut tx = app.trail.begin().await?;
    if let Some(undo) = undo {
        blueprints::hold_undo(&mut tx, &plan.blueprint).await?;
        if blueprints::undo_state(&mut tx, &plan.blueprint).await? != *undo {
            return Ok(None);
        }
    }
    upgrades::insert(&mut tx, &new).await?;
    let tenants = upgrade_units::enrol(&mut tx, id).await?;
    if tenants > 0 {
        upgrades::set_state(&mut tx, id, &UpgradeState::Rehearsing).await?;
    }
    let action = match plan.course {
        Course::Forward => "blueprint.upgrade",
        Course::Back => "blueprint.downgrade",
    };
    let entry =
        Entry { outcome: Some(Outcome::Ok), request: Some(digest), ..Entry::new(action, actor.clone()) };
    let entry = entry.fact("upgrade", id).fact("blueprint", &plan.blueprint).fact("version", plan.version);
    let entry = entry.fact("tenants", tenants).fact("plan_hash", &plan.hash);
    let seq = tx.record(&entry).await?;
    fault::around("upgrade.begin", tx.commit("commit the upgrade")).await?;
    Ok(Some(seq))
}

/// What the same request, with the same key, led to before.
async fn replayed(
    app: &App,
    actor: &Actor,
    key: Option<&str>,
    digest: &[u8],
) -> Result<Option<UpgradeStarted>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let pool = app.control.pool();
    match upgrades::by_key(pool, &actor.name, key, digest).await.map_err(errors::control)? {
        None => Ok(None),
        Some((id, true)) => {
            let upgrade = app.find_upgrade(Some(&id.to_string())).await?;
            Ok(Some(UpgradeStarted { upgrade, replayed: true }))
        }
        Some((id, false)) => {
            let message = format!(
                "the idempotency key '{key}' was used for another request (upgrade {id}): choose a new key"
            );
            Err(ApiError::new(ErrorCode::Conflict, message).on_field("idempotency_key"))
        }
    }
}
