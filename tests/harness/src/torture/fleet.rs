//! An upgrade of many tenants that is broken on its way: however it breaks, it brings all of them to the version in the end, none
//! of them twice, and what is left is what an unbroken one leaves.
//!
//! An operator stands by, who resumes what paused, tries again what failed, and follows the command of a tenant that asks for a
//! person.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::arena::{Arena, Trial, Verdict};
use super::oracle::{self, State};
use super::registry;
use super::request::{self, Hand, Scenario};
use crate::wait::PATIENCE;

/// Enough for a pilot and two waves, of which one has two tenants at a time.
const TENANTS: [&str; 4] = ["a", "b", "c", "d"];
/// How often the operator has to act at most.
const MOST_HANDS: usize = 12;

/// An upgrade as the registry has it.
#[derive(Debug)]
struct FleetStanding {
    id: Uuid,
    state: String,
    /// Tenants that failed, were skipped, or are partly upgraded.
    bad: i64,
    /// An operation that asks for a person.
    stuck: Option<(Uuid, String)>,
}

impl Arena {
    /// Upgrades several tenants at once while the rules strike, and judges the result.
    pub(super) async fn run_fleet(&mut self, trial: &Trial) -> Verdict {
        let begin = Instant::now();
        let mut verdict = Verdict::default();
        let fleet = format!("fleet-{}", self.next_serial());
        let slugs = TENANTS.map(|tenant| format!("{fleet}-{tenant}"));
        self.make_fleet(trial, &slugs).await;
        if trial.scenario == Scenario::DowngradeFleet {
            let there =
                self.see_fleet_through(Scenario::UpgradeFleet, &format!("{fleet}-there"), &mut verdict).await;
            assert!(there.is_ok(), "{there:?}");
        }
        self.come_to_rest(&mut verdict).await;
        let (before, seq) = (State::take(&self.env).await, oracle::audit_seq(&self.env).await);
        self.break_fleet(trial, &fleet, &mut verdict).await;
        self.judge_fleet(trial.scenario, &slugs, &before, &mut verdict).await;
        for slug in &slugs {
            self.remove(slug, &mut verdict).await;
        }
        self.nothing_is_left(&mut verdict).await;
        verdict.violations.extend(oracle::audit_problems(&self.env, seq).await);
        verdict.violations.append(&mut self.deaths);
        verdict.took = begin.elapsed();
        verdict
    }

    /// Makes the tenants, while nothing breaks.
    pub(super) async fn make_fleet(&mut self, trial: &Trial, slugs: &[String]) {
        self.keep_daemons(trial.daemons).await;
        self.end_standbys(trial.daemons).await;
        for slug in slugs {
            let made = self.see_through(trial.scenario.of_one_tenant(), slug, &format!("{slug}-made")).await;
            assert!(made.as_ref().is_ok_and(|ended| ended.state == "succeeded"), "{slug}: {made:?}");
        }
    }

    /// Sees the upgrade through while the rules strike, and notes how that ended.
    pub(super) async fn break_fleet(&mut self, trial: &Trial, key: &str, verdict: &mut Verdict) {
        self.faults.load(trial.rules.clone());
        let seen = self.see_fleet_through(trial.scenario, key, verdict).await;
        self.faults.let_pass().await;
        let script = self.faults.unload().await;
        (verdict.struck, verdict.trace) = (script.struck, script.trace);
        match seen {
            Ok(hands) => verdict.end = format!("succeeded, {hands} hands"),
            Err(problem) => {
                verdict.end = "never".to_owned();
                verdict.violations.push(problem);
            }
        }
    }

    /// Asks for the upgrade until it is on record, and does what an operator would do until it has succeeded. Returns how often
    /// that was.
    pub(super) async fn see_fleet_through(
        &mut self,
        scenario: Scenario,
        fleet: &str,
        verdict: &mut Verdict,
    ) -> Result<usize, String> {
        let mut deadline = Instant::now() + PATIENCE;
        let mut hands = 0;
        let mut turn = 0;
        loop {
            turn += 1;
            self.keep_daemons(1).await;
            // The server may be away for a moment.
            let found = self.standing(fleet).await.ok().flatten();
            // One that only stands by refuses.
            let next = self.daemons.get(turn % self.daemons.len().max(1));
            let socket = next.map(|daemon| daemon.socket().to_owned());
            let hand = match (&found, socket) {
                (Some(standing), _) if standing.state == "succeeded" => return Ok(hands),
                (None, Some(socket)) => {
                    // A refusal passes, or the deadline tells of it.
                    let _ = request::send(&socket, scenario, fleet, fleet).await;
                    None
                }
                (Some(FleetStanding { stuck: Some((operation, slug)), .. }), _) => {
                    let (operation, slug) = (*operation, slug.clone());
                    let key = format!("{slug}-retry-{hands}");
                    let again = self.see_through(Scenario::Retry(operation), &slug, &key).await?;
                    if again.state != "succeeded" {
                        verdict.violations.push(format!("the retry that {slug} named ended {}", again.state));
                    }
                    hands += 1;
                    None
                }
                (Some(standing), Some(socket))
                    if !matches!(standing.state.as_str(), "rehearsing" | "running") =>
                {
                    let hand = if standing.bad > 0 { Hand::Retry } else { Hand::Resume };
                    Some((socket, standing.id, hand))
                }
                _ => None,
            };
            if let Some((socket, id, hand)) = hand
                && request::lay_hand(&socket, id, hand).await.is_ok()
            {
                hands += 1;
                deadline = Instant::now() + PATIENCE;
            }
            if Instant::now() > deadline || hands > MOST_HANDS {
                return Err(format!("after {hands} hands the upgrade is still {found:?}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn standing(&self, key: &str) -> sqlx::Result<Option<FleetStanding>> {
        let mut control = self.env.cluster.options(&self.env.control_db).connect().await?;
        type Row = (Uuid, String, i64, Option<Uuid>, Option<String>);
        let found: Option<Row> = sqlx::query_as(
            "select u.id, u.state,
                    (select count(*) from control.upgrade_unit x
                     where x.upgrade_id = u.id and x.state in ('failed', 'skipped', 'partly')),
                    s.id, s.slug
             from control.upgrade u
             left join lateral (select o.id, t.slug from control.tenant t join control.operation o on o.tenant_id = t.id
                                where t.state = 'needs_attention' and t.slug like $1 || '-%' and o.state = 'needs_attention'
                                order by o.id desc limit 1) s on true
             where u.idempotency_key = $1",
        )
        .bind(key)
        .fetch_optional(&mut control)
        .await?;
        control.close().await?;
        Ok(found.map(|(id, state, bad, stuck, slug)| FleetStanding {
            id,
            state,
            bad,
            stuck: stuck.zip(slug),
        }))
    }

    /// Checks that the tenants are as an unbroken upgrade leaves them, and that nothing was done to any of them twice.
    async fn judge_fleet(
        &mut self,
        scenario: Scenario,
        slugs: &[String],
        before: &State,
        verdict: &mut Verdict,
    ) {
        self.come_to_rest(verdict).await;
        let after = State::take(&self.env).await;
        let mut names = Vec::new();
        for slug in slugs {
            let placement = registry::placement(&self.env, slug).await.unwrap_or_default();
            names.push((slug.clone(), format!("SLUG-{}", &slug[slug.len() - 1..])));
            names.push((placement, format!("PLACEMENT-{}", &slug[slug.len() - 1..])));
        }
        let names: Vec<(&str, &str)> = names.iter().map(|(name, general)| (&**name, &**general)).collect();
        self.compare(scenario, before.change(&after, &names), true, verdict);
        verdict.violations.extend(self.run_twice().await);
        verdict.violations.extend(self.ended_twice(slugs).await);
    }

    async fn run_twice(&self) -> Vec<String> {
        let mut target = self.env.target().await;
        let twice: Vec<String> = sqlx::query_scalar(
            "select format('%s ran %s times for %s', file, count(*), placement) from tenantry.migration_history
             group by placement, file, checksum having count(*) > 1",
        )
        .fetch_all(&mut target)
        .await
        .unwrap();
        target.close().await.unwrap();
        twice
    }

    pub(super) async fn ended_twice(&self, slugs: &[String]) -> Vec<String> {
        let mut control = self.env.control().await;
        let ends: Vec<String> = sqlx::query_scalar(
            "select format('%s has %s upgrades that succeeded', t.slug, count(*)) from control.tenant t
             join control.operation o on o.tenant_id = t.id and o.kind = 'upgrade' and o.state = 'succeeded'
             where t.slug = any ($1) group by t.slug, o.arguments ->> 'version' having count(*) > 1",
        )
        .bind(slugs)
        .fetch_all(&mut control)
        .await
        .unwrap();
        control.close().await.unwrap();
        ends
    }
}
