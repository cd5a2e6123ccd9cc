//! The daemon's own round over the upgrades that run: begins the next tenants, lets waves follow each other, pauses where too
//! much fails, and ends.
//!
//! It remembers nothing that the registry does not say, so that another daemon goes on where this one stopped. A target has at
//! most half of its places for upgrades, so that provisions and changes find the others free.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tenantry_protocol::error::ErrorCode;
use tenantry_protocol::id::{TenantId, UpgradeId};
use tenantry_protocol::name::TargetName;
use tenantry_protocol::upgrade::{PauseCause, Upgrade, UpgradeState};
use tenantry_protocol::watch::EventBody;
use tokio::time::Instant;

use super::lane::Lane;
use super::pause::{pause, told};
use super::plan::Limit;
use super::rehearse;
use super::unit::{Brief, UnitTurn, take_turn};
use crate::commands::App;
use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::Result;
use crate::postgres::control::upgrade_units::{self, Reach};
use crate::postgres::control::upgrades;
use crate::postgres::error::doing;

/// How often upgrades are looked for, though nobody said that one began.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The pause before tenants are looked for again where there were none that may begin.
const IDLE: Duration = Duration::from_millis(250);
/// The number of tenants that are looked up at a time.
const AHEAD: i64 = 32;
/// The least time between two messages to watchers.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// A target that answered within this time is not asked again.
const ALIVE: Duration = Duration::from_secs(1);
/// How long a target may be down, with nothing else to do, before the upgrade pauses.
const DOWN_AT_MOST: Duration = Duration::from_secs(20);

/// Carries on the upgrades that run; never returns by itself.
pub async fn carry_on_upgrades(app: &Arc<App>) {
    let mut changed = app.upgrades_changed.subscribe();
    let mut known = HashSet::new();
    let mut carried = FuturesUnordered::new();
    while !app.events.is_closed() {
        changed.mark_unchanged();
        let pause = match upgrades::running(app.control.pool()).await {
            Ok(running) => {
                for id in running.into_iter().filter(|id| known.insert(*id)) {
                    carried.push(async move {
                        carry_on(app, id).await;
                        id
                    });
                }
                LOOK_EVERY
            }
            Err(error) => {
                tracing::warn!(error = %error.explain(), "upgrades cannot be looked for");
                PAUSE_AFTER_ERROR
            }
        };
        tokio::select! {
            Some(id) = carried.next() => {
                known.remove(&id);
            }
            _ = changed.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    // The daemon is stopping: another one goes on.
    std::future::pending().await
}

/// Carries on an upgrade until it no longer runs.
async fn carry_on(app: &Arc<App>, id: UpgradeId) {
    loop {
        match Box::pin(run(app, id)).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(upgrade = %id, error = %error.explain(), "an upgrade cannot go on yet");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn run(app: &Arc<App>, id: UpgradeId) -> Result<()> {
    let Some(upgrade) = upgrades::by_id(app.control.pool(), id).await? else { return Ok(()) };
    let to = app.blueprint(&upgrade.blueprint, Some(upgrade.version)).await;
    let to = match to {
        Ok(to) => to,
        // The registry is away for a moment.
        Err(error) if error.code == ErrorCode::Unavailable => {
            return Err(crate::postgres::Error::LeaseLapsed);
        }
        Err(error) => return pause(app, id, PauseCause::Failures, error.message).await,
    };
    if !rehearse::before_the_first(app, &upgrade, &to.blueprint).await? {
        return Ok(());
    }
    let actor = Actor::on_record(&upgrade.actor, app.own_uid);
    let brief = Arc::new(Brief::new(id, Arc::clone(&to.blueprint), actor));
    Round {
        app,
        brief,
        width: upgrade.width as usize,
        limit: Limit::parse(&upgrade.stop_after).unwrap_or(Limit::Tenants(1)),
        manual: upgrade.manual,
        waves: upgrade.waves,
        lanes: app.targets.iter().map(|target| (target.name().clone(), Lane::default())).collect(),
        flight: FuturesUnordered::new(),
        told: Instant::now(),
    }
    .go()
    .await
}

/// An upgrade's way through its tenants.
struct Round<'a> {
    app: &'a Arc<App>,
    brief: Arc<Brief>,
    width: usize,
    limit: Limit,
    manual: bool,
    waves: u32,
    lanes: BTreeMap<TargetName, Lane>,
    flight: FuturesUnordered<BoxFuture<'a, (TargetName, TenantId, Result<UnitTurn>)>>,
    told: Instant,
}

impl Round<'_> {
    async fn go(mut self) -> Result<()> {
        let mut changed = self.app.upgrades_changed.subscribe();
        loop {
            self.fill().await?;
            if self.flight.is_empty() {
                match self.pass_gate().await? {
                    Gate::Open => continue,
                    Gate::Closed => return Ok(()),
                    Gate::Wait => {}
                }
            }
            tokio::select! {
                Some((target, tenant, turn)) = self.flight.next() => self.note(&target, tenant, turn).await?,
                _ = changed.changed() => {
                    if self.tell().await?.is_none_or(|upgrade| upgrade.state != UpgradeState::Running) {
                        return self.land().await;
                    }
                }
                () = tokio::time::sleep(IDLE) => {}
            }
        }
    }

    /// Begins as many tenants as there is room for.
    async fn fill(&mut self) -> Result<()> {
        let hungry: Vec<TargetName> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.next.is_empty() && lane.is_open(self.width))
            .map(|(target, _)| target.clone())
            .collect();
        if !hungry.is_empty() {
            let names: Vec<&str> = hungry.iter().map(TargetName::as_str).collect();
            let found = upgrade_units::next(self.app.control.pool(), self.brief.id, &names, AHEAD).await?;
            for (tenant, target) in found {
                if let Some(lane) = self.lanes.get_mut(&target) {
                    lane.next.push_back(tenant);
                }
            }
            for target in &hungry {
                if let Some(lane) = self.lanes.get_mut(target).filter(|lane| lane.next.is_empty()) {
                    lane.not_before = Some(Instant::now() + IDLE);
                }
            }
        }
        for (target, lane) in &mut self.lanes {
            while lane.is_open(self.width)
                && let Some(tenant) = lane.next.pop_front()
            {
                lane.in_flight += 1;
                let ask = lane.alive.is_none_or(|at| at.elapsed() > ALIVE);
                let (app, brief, target) = (self.app, Arc::clone(&self.brief), target.clone());
                self.flight.push(Box::pin(async move {
                    let turn = take_turn(app, &brief, tenant, ask).await;
                    (target, tenant, turn)
                }));
                if ask {
                    // One is enough to find out whether the target answers.
                    break;
                }
            }
        }
        Ok(())
    }

    async fn note(&mut self, target: &TargetName, tenant: TenantId, turn: Result<UnitTurn>) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(target) else { return Ok(()) };
        lane.in_flight -= 1;
        match turn? {
            UnitTurn::TargetDown => {
                lane.next.push_front(tenant);
                lane.down_since.get_or_insert_with(Instant::now);
                lane.not_before = Some(Instant::now() + PAUSE_AFTER_ERROR);
                return Ok(());
            }
            UnitTurn::Over => {}
            UnitTurn::Failed => {
                let reach = upgrade_units::reach(self.app.control.pool(), self.brief.id).await?;
                if let Some(reach) = reach {
                    self.pause_if_too_much_failed(reach).await?;
                }
            }
        }
        if let Some(lane) = self.lanes.get_mut(target) {
            (lane.alive, lane.down_since) = (Some(Instant::now()), None);
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.tell().await?;
        }
        Ok(())
    }

    /// What is in flight ends by itself; then watchers are told.
    async fn land(&mut self) -> Result<()> {
        while let Some((target, tenant, turn)) = self.flight.next().await {
            if let Err(error) = turn {
                tracing::warn!(%target, %tenant, error = %error.explain(), "a tenant's turn could not end");
            }
        }
        self.tell().await.map(|_| ())
    }

    async fn tell(&mut self) -> Result<Option<Upgrade>> {
        self.told = Instant::now();
        let upgrade = upgrades::by_id(self.app.control.pool(), self.brief.id).await?;
        if let Some(upgrade) = &upgrade {
            self.waves = upgrade.waves;
            self.app.events.publish(EventBody::Upgrade { upgrade: Box::new(upgrade.clone()) });
        }
        Ok(upgrade)
    }

    async fn pause_if_too_much_failed(&mut self, reach: Reach) -> Result<bool> {
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
    async fn pass_gate(&mut self) -> Result<Gate> {
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

    /// All waves are done. Tenants that were provisioned meanwhile are in, too; if there are none, the upgrade ends.
    async fn finish(&mut self) -> Result<Gate> {
        let (app, id) = (self.app, self.brief.id);
        let mut tx = app.trail.begin().await?;
        if upgrades::hold(&mut tx, id).await?.as_deref() != Some("running") {
            return Ok(Gate::Wait);
        }
        if upgrade_units::enrol(&mut tx, id).await? > 0 {
            tx.commit("commit the late tenants").await?;
            self.lanes.values_mut().for_each(|lane| lane.not_before = None);
            return Ok(Gate::Open);
        }
        if upgrade_units::is_one_coming(&mut tx, id).await? {
            return Ok(Gate::Wait);
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

/// What follows when nothing is in flight.
enum Gate {
    /// There are tenants that may begin now.
    Open,
    Wait,
    /// The upgrade does not run any more.
    Closed,
}
