//! The daemon's own hand on an upgrade: it pauses one that must not go on by itself.

use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::upgrade::{PauseCause, UpgradeState};

use crate::commands::App;
use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::Result;
use crate::postgres::control::upgrades;

/// Pauses an upgrade that still runs, or is being rehearsed.
pub(super) async fn pause(app: &App, id: UpgradeId, by: PauseCause, reason: String) -> Result<()> {
    let mut tx = app.trail.begin().await?;
    if !matches!(upgrades::hold(&mut tx, id).await?.as_deref(), Some("rehearsing" | "running")) {
        return Ok(());
    }
    let entry = Entry {
        outcome: Some(Outcome::Ok),
        detail: Some(reason.clone()),
        ..Entry::new("blueprint.upgrade.paused", Actor::daemon(app.own_uid))
            .fact("upgrade", id)
            .fact("by", by.name())
    };
    upgrades::set_state(&mut tx, id, &UpgradeState::Paused { by, reason }).await?;
    let seq = tx.record(&entry).await?;
    fault::around("upgrade.pause", tx.commit("commit the pause of the upgrade")).await?;
    told(app, id, seq).await;
    Ok(())
}

/// Tells watchers of a change that was recorded as `seq`.
pub(super) async fn told(app: &App, id: UpgradeId, seq: i64) {
    if let Err(error) = app.upgrade_changed(id, seq).await {
        tracing::warn!(upgrade = %id, %error, "watchers of an upgrade could not be told");
    }
}
