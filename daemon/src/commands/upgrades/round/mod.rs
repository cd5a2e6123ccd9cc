//! The daemon's own round over the upgrades that run: begins the next tenants, lets waves follow each other, pauses where too
//! much fails, and ends.
//!
//! It remembers nothing that the registry does not say, so that another daemon goes on where this one stopped. A target has at
//! most half of its places for upgrades, so that provisions and changes find the others free.

mod gate;

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

use self::gate::Gate;
use crate::commands::App;
use crate::commands::upgrades::lane::Lane;
use crate::commands::upgrades::pause::pause;
use crate::commands::upgrades::plan::Limit;
use crate::commands::upgrades::rehearse;
use crate::commands::upgrades::unit::{Brief, TurnTaken, UnitTurn, end_of, take_turns};
use crate::pipeline::Actor;
use crate::postgres::Result;
use crate::postgres::control::upgrade_units;
use crate::postgres::control::upgrades;

/// How often upgrades are looked for, though nobody said that one began or goes on: the answer to a COMMIT can be lost.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The pause before tenants are looked for again where there were none that may begin.
const IDLE: Duration = Duration::from_millis(250);
/// The number of tenants that are looked up at a time.
const AHEAD: i64 = 128;
/// The least time between two messages to watchers.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// A target that answered within this time is not asked again.
const ALIVE: Duration = Duration::from_secs(1);

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
    let brief = Arc::new(Brief::new(id, Arc::clone(&to.blueprint), upgrade.course, actor));
    Round {
        app,
        brief,
        limit: Limit::parse(&upgrade.stop_after).unwrap_or(Limit::Tenants(1)),
        manual: upgrade.manual,
        waves: upgrade.waves,
        lanes: app
            .targets
            .iter()
            .map(|target| (target.name().clone(), Lane::new(upgrade.width as usize)))
            .collect(),
        flight: FuturesUnordered::new(),
        told: Instant::now(),
    }
    .go()
    .await
}

/// What was waited for.
enum Landing {
    /// Tenants had their turn.
    Begun(Result<Vec<(TenantId, TurnTaken)>>),
    Ended(TenantId, UnitTurn),
}

/// An upgrade's way through its tenants.
struct Round<'a> {
    app: &'a Arc<App>,
    brief: Arc<Brief>,
    limit: Limit,
    manual: bool,
    waves: u32,
    lanes: BTreeMap<TargetName, Lane>,
    flight: FuturesUnordered<BoxFuture<'a, (TargetName, Landing)>>,
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
                Some((target, landing)) = self.flight.next() => self.take(&target, landing).await?,
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
            .filter(|(_, lane)| lane.next.is_empty() && lane.room(Instant::now()) > 0)
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
            let ask = lane.alive.is_none_or(|at| at.elapsed() > ALIVE);
            // One is enough to find out whether the target answers.
            let room = if ask { lane.room(Instant::now()).min(1) } else { lane.room(Instant::now()) };
            let pack: Vec<TenantId> = lane.next.drain(..room.min(lane.next.len())).collect();
            if pack.is_empty() {
                continue;
            }
            lane.in_flight += pack.len();
            lane.is_beginning = true;
            let (app, brief, turns) = (self.app, Arc::clone(&self.brief), Arc::clone(&lane.turns));
            let target = target.clone();
            self.flight.push(Box::pin(async move {
                let begun = take_turns(app, &brief, &pack, &turns, ask).await;
                (target, Landing::Begun(begun))
            }));
        }
        Ok(())
    }

    async fn take(&mut self, target: &TargetName, landing: Landing) -> Result<()> {
        match landing {
            Landing::Ended(tenant, turn) => self.note(target, tenant, turn).await,
            Landing::Begun(begun) => {
                for (tenant, turn) in self.begun(target, begun)? {
                    self.note(target, tenant, turn).await?;
                }
                Ok(())
            }
        }
    }

    /// Waits for the operations that have begun from now on, and returns the turns that are over.
    fn begun(
        &mut self,
        target: &TargetName,
        begun: Result<Vec<(TenantId, TurnTaken)>>,
    ) -> Result<Vec<(TenantId, UnitTurn)>> {
        if let Some(lane) = self.lanes.get_mut(target) {
            lane.is_beginning = false;
        }
        let mut taken = Vec::new();
        for (tenant, turn) in begun? {
            match turn {
                TurnTaken::Taken(turn) => taken.push((tenant, turn)),
                TurnTaken::Begun(operation) => {
                    let (app, target) = (self.app, target.clone());
                    self.flight.push(Box::pin(async move {
                        (target, Landing::Ended(tenant, end_of(app, operation).await))
                    }));
                }
            }
        }
        Ok(taken)
    }

    async fn note(&mut self, target: &TargetName, tenant: TenantId, turn: UnitTurn) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(target) else { return Ok(()) };
        lane.in_flight -= 1;
        match turn {
            UnitTurn::TargetDown => {
                lane.next.push_front(tenant);
                lane.down_since.get_or_insert_with(Instant::now);
                lane.not_before = Some(Instant::now() + PAUSE_AFTER_ERROR);
                return Ok(());
            }
            UnitTurn::Over => lane.note_end(false, Instant::now()),
            UnitTurn::Failed => {
                lane.note_end(true, Instant::now());
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
        while let Some((target, landing)) = self.flight.next().await {
            if let Landing::Begun(begun) = landing
                && let Err(error) = self.begun(&target, begun)
            {
                tracing::warn!(%target, error = %error.explain(), "a tenant's turn could not end");
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
}
