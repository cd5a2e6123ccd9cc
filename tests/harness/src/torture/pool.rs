//! An upgrade of shared tables that is broken on its way, and their downgrade: all of their tenants have the version in the end, the
//! tables are those of the version, and each row was touched once.
//!
//! The pool stays, so that the whole of the target cannot be compared with what it was before the tenants came. What it holds is
//! looked at instead.

use std::time::Instant;

use sqlx::Connection as _;

use super::arena::{Arena, Trial, Verdict};
use super::oracle::{self, State};
use super::request::{FIRST_VERSION, SHARED, Scenario};

const TENANTS: [&str; 3] = ["a", "b", "c"];
const LATER_VERSION: &str = "1.1";

impl Arena {
    /// Brings tenants that share tables to another version while the rules strike, judges the result, and leaves the tables in the
    /// first version.
    pub(super) async fn run_pool(&mut self, trial: &Trial) -> Verdict {
        let begin = Instant::now();
        let mut verdict = Verdict::default();
        let fleet = format!("pool-{}", self.next_serial());
        let slugs = TENANTS.map(|tenant| format!("{fleet}-{tenant}"));
        self.make_fleet(trial, &slugs).await;
        let is_back = trial.scenario == Scenario::DowngradePool;
        if is_back {
            self.unbroken(Scenario::UpgradePool, &fleet, &mut verdict).await;
        }
        let seq = oracle::audit_seq(&self.env).await;
        self.break_fleet(trial, &format!("{fleet}-broken"), &mut verdict).await;
        self.come_to_rest(&mut verdict).await;
        let version = if is_back { FIRST_VERSION } else { LATER_VERSION };
        verdict.violations.extend(self.pool_problems(&slugs, version).await);
        verdict.violations.extend(self.ended_twice(&slugs).await);
        if !is_back {
            self.unbroken(Scenario::DowngradePool, &fleet, &mut verdict).await;
            verdict.violations.extend(self.pool_problems(&slugs, FIRST_VERSION).await);
        }
        for slug in &slugs {
            self.remove(slug, &mut verdict).await;
        }
        self.come_to_rest(&mut verdict).await;
        verdict.violations.extend(oracle::audit_problems(&self.env, seq).await);
        verdict.violations.append(&mut self.deaths);
        // The history of the pool has grown, and what other scenarios change was learned before that.
        self.empty = Some(State::take(&self.env).await);
        self.whole.clear();
        verdict.took = begin.elapsed();
        verdict
    }

    async fn unbroken(&mut self, scenario: Scenario, fleet: &str, verdict: &mut Verdict) {
        let seen = self.see_fleet_through(scenario, &format!("{fleet}-{scenario:?}"), verdict).await;
        if let Err(problem) = seen {
            verdict.violations.push(format!("unbroken, {scenario:?}: {problem}"));
        }
    }

    /// What is not as the version has it, in the registry and in the tables.
    async fn pool_problems(&self, slugs: &[String], version: &str) -> Vec<String> {
        let mut control = self.env.control().await;
        let mut problems: Vec<String> = sqlx::query_scalar(
            "select format('%s has version %s.%s', slug, major, minor) from control.tenant
             where slug = any ($1) and format('%s.%s', major, minor) <> $2 and state = 'active'",
        )
        .bind(slugs)
        .bind(version)
        .fetch_all(&mut control)
        .await
        .unwrap();
        control.close().await.unwrap();
        let mut target = self.env.target().await;
        let pools: Vec<(String, String)> = sqlx::query_as(
            "select p.placement, p.version from tenantry.pool p where p.blueprint = $1 order by 1",
        )
        .bind(SHARED)
        .fetch_all(&mut target)
        .await
        .unwrap();
        let [(pool, has)] = pools.as_slice() else {
            problems.push(format!("there are several pools: {pools:?}"));
            return problems;
        };
        if has != version {
            problems.push(format!("the pool has version {has}"));
        }
        let is_later = version == LATER_VERSION;
        let has_second: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(format!("{pool}.second"))
            .fetch_one(&mut target)
            .await
            .unwrap();
        if has_second != is_later {
            problems.push(format!("of version {version}, the pool has the later table: {has_second}"));
        }
        let wrong = format!(
            "select format('a row of %s was touched %s times', tenant_id, touched) from {pool}.first
             where touched <> {} limit 5",
            i32::from(is_later)
        );
        let wrong: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(wrong)).fetch_all(&mut target).await.unwrap();
        problems.extend(wrong);
        target.close().await.unwrap();
        problems
    }
}
