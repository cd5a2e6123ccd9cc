//! What follows when nothing of an upgrade is in flight: the next wave, a pause, or the end.

use std::time::Duration;
use tenantry_protocol::name::TargetName;
use tenantry_protocol::upgrade::{Course, PauseCause, UpgradeState};

use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::postgres::Result;
use crate::postgres::control::upgrade_units::{self, Reach};
use crate::postgres::control::upgrades;
use crate::postgres::error::doing;

use super::Round;
use crate::commands::upgrades::pause::{pause, told};

/// How long a target may be down, with nothing else to do, before the upgrade pauses.
const DOWN_AT_MOST: Duration = Duration::from_secs(20);

/// What follows when nothing is in flight.
pub(super) enum Gate {
    /// There are tenants that may begin now.
    Open,
    Wait,
    /// The upgrade does not run any more.
    Closed,
}

impl Round<'_> {
    pub(super) async fn pause_if_too_much_failed(&mut self, reach: Reach) -> Result<bool> {
        if !self.limit.is_reached(reach.failed, reach.all) {
            return Ok(false);
        }
        let reason = format!(
            "{} of {} tenants failed: see `tenantry upgrade failures`, then resume, retry or cancel",
            reach.failed, reach.all
        );
        pause(self.app, self.brief.id, PauseCause::Failures, reason).await?;
        Ok(true)
    }

    /// Nothing is in flight: decides what follows.
    pub(super) async fn pass_gate(&mut self) -> Result<Gate> {
        let (app, id) = (self.app, self.brief.id);
        let state = upgrades::by_id(app.control.pool(), id).await?.map(|upgrade| upgrade.state);
        if state != Some(UpgradeState::Running) {
            self.land().await?;
            return Ok(Gate::Closed);
        }
        let Some(reach) = upgrade_units::reach(app.control.pool(), id).await? else {
            return Ok(Gate::Closed);
        };
        if self.pause_if_too_much_failed(reach).await? {
            return Ok(Gate::Closed);
        }
        if reach.open > 0 {
            return self.wait_for_targets(reach).await;
        }
        match reach.next_wave {
            Some(_) if reach.wave == 0 && reach.failed > 0 => {
                let reason =
                    "the pilot failed: see `tenantry upgrade failures`, then retry, resume or cancel"
                        .to_owned();
                pause(app, id, PauseCause::Pilot, reason).await?;
                Ok(Gate::Closed)
            }
            Some(_) if self.manual => {
                let reason = format!(
                    "wave {} of {} is done: `tenantry upgrade resume` goes on",
                    reach.wave + 1,
                    self.waves
                );
                pause(app, id, PauseCause::Wave, reason).await?;
                Ok(Gate::Closed)
            }
            Some(wave) => {
                self.open_wave(wave).await?;
                Ok(Gate::Open)
            }
            None => self.finish().await,
        }
    }

    async fn open_wave(&mut self, wave: i32) -> Result<()> {
        let mut tx = self.app.control.begin().await?;
        upgrades::next_wave(&mut tx, self.brief.id, wave).await?;
        fault::around("upgrade.wave", async { tx.commit().await.map_err(doing("begin the next wave")) })
            .await?;
        self.lanes.values_mut().for_each(|lane| lane.not_before = None);
        Ok(())
    }

    /// Tenants wait: for a lock, for something else that is done to them, or for targets that do not answer. Those of other targets
    /// go on meanwhile.
    async fn wait_for_targets(&mut self, reach: Reach) -> Result<Gate> {
        let waiting = upgrade_units::open_targets(self.app.control.pool(), self.brief.id).await?;
        let is_out_of_reach = |target: &TargetName| {
            // A target that is not in the configuration does not come back by itself.
            self.lanes.get(target).is_none_or(|lane| lane.down_since.is_some())
        };
        if !waiting.iter().all(is_out_of_reach) {
            return Ok(Gate::Wait);
        }
        if let Some(wave) = reach.next_wave.filter(|_| reach.wave > 0 && !self.manual) {
            self.open_wave(wave).await?;
            return Ok(Gate::Open);
        }
        let is_down_for_good = |target: &TargetName| {
            let since = self.lanes.get(target).and_then(|lane| lane.down_since);
            since.is_none_or(|since| since.elapsed() >= DOWN_AT_MOST)
        };
        if !waiting.iter().all(is_down_for_good) {
            return Ok(Gate::Wait);
        }
        let names: Vec<&str> = waiting.iter().map(TargetName::as_str).collect();
        let reason = format!(
            "{} cannot be reached: see `tenantry target check`, then `tenantry upgrade resume`",
            names.join(", ")
        );
        pause(self.app, self.brief.id, PauseCause::Target, reason).await?;
        Ok(Gate::Closed)
    }

    /// All waves are done. Tenants that were provisioned meanwhile are in, too, where they go forward; if there are none, the upgrade
    /// ends.
    async fn finish(&mut self) -> Result<Gate> {
        let (app, id) = (self.app, self.brief.id);
        let mut tx = app.trail.begin().await?;
        if upgrades::hold(&mut tx, id).await?.as_deref() != Some("running") {
            return Ok(Gate::Wait);
        }
        // Nobody goes back who was not there when that was confirmed.
        if self.brief.course == Course::Forward {
            if upgrade_units::enrol(&mut tx, id).await? > 0 {
                tx.commit("commit the late tenants").await?;
                self.lanes.values_mut().for_each(|lane| lane.not_before = None);
                return Ok(Gate::Open);
            }
            if upgrade_units::is_one_coming(&mut tx, id).await? {
                return Ok(Gate::Wait);
            }
        }
        let counts = upgrades::counts(&mut tx, id).await?;
        let (state, outcome) = match counts.bad() {
            0 => (UpgradeState::Succeeded, Outcome::Ok),
            _ => (UpgradeState::Partial, Outcome::Failed),
        };
        upgrades::set_state(&mut tx, id, &state).await?;
        let entry =
            Entry { outcome: Some(outcome), ..Entry::new("blueprint.upgrade.end", self.brief.actor.clone()) };
        let entry = entry
            .fact("upgrade", id)
            .fact("blueprint", &self.brief.to.name)
            .fact("version", self.brief.to.version);
        let entry = entry.fact("done", counts.done).fact("current", counts.current).fact("bad", counts.bad());
        let seq = tx.record(&entry).await?;
        fault::around("upgrade.end", tx.commit("commit the end of the upgrade")).await?;
        told(app, id, seq).await;
        Ok(Gate::Closed)
    }
}
