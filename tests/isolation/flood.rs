//! One tenant gives another very many large objects and default privileges, on a server whose functions nobody closed.
//! Every call about the receiver is as quick as before, the daemon needs no more memory, and the trail can be read.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tenantry_harness::bars::Bar;
use tenantry_harness::{Cluster, Env, Provisioned, Version, rpc};
use tenantry_protocol::audit::AuditRequest;
use tenantry_protocol::isolation::Grade;

use crate::pairs::enter;

const OBJECTS: u32 = 200_000;
const LONGEST_MS: f64 = 2_000.0;
const MOST_MB: f64 = 32.0;
/// The longest time for an operation.
const BUDGET_S: f64 = 120.0;

/// The results of the flood.
#[derive(Debug)]
pub(crate) struct Flood {
    pub(crate) objects: u32,
    /// The longest of all calls about the victim, in ms, and which call it was.
    pub(crate) longest_ms: f64,
    longest: String,
    /// By how much the daemon's peak grew, in MB.
    pub(crate) grown_mb: f64,
    pub(crate) victim: Grade,
    pub(crate) giver: Grade,
    /// Events of the trail that were on no page.
    lost_events: usize,
    pub(crate) victim_gone_s: f64,
    pub(crate) giver_gone_s: f64,
}

pub(crate) async fn prove(version: Version) -> Flood {
    let env = Env::on(Cluster::private(version)).await;
    let victim = env.provision("victim").await;
    let giver = env.provision("giver").await;
    // The first calls of each kind take memory, which is not growth.
    calls(&env).await;
    env.tenantry(&["tenant", "verify", "giver"]).await.assert_status(0);
    let before = peak_mb(&env);
    let mut session = enter(&giver.credentials, &giver.credentials.database).await.unwrap();
    session.execute(AssertSqlSafe(flood(&victim))).await.unwrap();
    session.close().await.unwrap();
    // Twice, because the second round shows the report of the first.
    let mut slowest = calls(&env).await;
    env.tenantry(&["tenant", "verify", "giver"]).await.assert_status(6);
    slowest.extend(calls(&env).await);
    let (longest_ms, longest) = slowest.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    let grade = async |slug: &str| env.tenant(slug).await.isolation.unwrap().grade();
    let (victim_grade, giver_grade) = (grade("victim").await, grade("giver").await);
    let lost_events = lost_events(&env).await;
    let victim_gone_s = gone(&env, &victim).await;
    let giver_gone_s = gone(&env, &giver).await;
    Flood {
        objects: OBJECTS,
        longest_ms,
        longest,
        grown_mb: peak_mb(&env) - before,
        victim: victim_grade,
        giver: giver_grade,
        lost_events,
        victim_gone_s,
        giver_gone_s,
    }
}

/// Runs as the giver's own application.
fn flood(victim: &Provisioned) -> String {
    let placement = &victim.tenant.placement;
    let all = ["", "_app", "_a", "_b", "_probe"].map(|role| format!("{placement}{role}")).join(", ");
    format!(
        "do $$ declare nsp text; kind text; begin
             for nsp in select nspname from pg_namespace loop
                 foreach kind in array array['tables', 'sequences', 'functions', 'types'] loop
                     execute format('alter default privileges in schema %I grant all on %s to {all}', nsp, kind);
                 end loop;
             end loop;
             for i in 1..{OBJECTS} loop
                 execute format('grant select, update on large object %s to {all}', lo_create(0));
                 if i % 1000 = 0 then commit; end if;
             end loop;
         end $$;"
    )
}

/// Everything that an operator may request about the victim, each with its time in ms.
async fn calls(env: &Env) -> Vec<(f64, String)> {
    let mut took = Vec::new();
    for command in [
        "tenant verify victim",
        "tenant show victim",
        "tenant list",
        "tenant suspend victim",
        "tenant resume victim",
        "tenant update victim --label plan=gold",
        "tenant credentials victim rotate",
        "tenant credentials victim finish",
        "operation list",
        "target check",
        "audit list --limit 500",
        "audit list --tenant victim",
    ] {
        let begin = Instant::now();
        let words: Vec<&str> = command.split(' ').collect();
        env.tenantry(&words).await.assert_status(0);
        took.push((begin.elapsed().as_secs_f64() * 1_000.0, command.to_owned()));
    }
    took
}

/// The number of existing events that reading the trail page by page did not return.
async fn lost_events(env: &Env) -> usize {
    let client = env.rpc().await;
    let (mut seen, mut before, mut head) = (0, None, 0);
    loop {
        let request = AuditRequest { before, limit: Some(500), ..AuditRequest::default() };
        let page = client.audit(rpc::context(), request).await.unwrap().unwrap();
        head = head.max(page.trail.head_seq);
        seen += page.events.len();
        let is_full = page.events.len() == 500;
        before = page.searched_to.or(page.events.last().filter(|_| is_full).map(|event| event.seq));
        if before.is_none() {
            return usize::try_from(head).unwrap().saturating_sub(seen);
        }
    }
}

/// How long the complete removal of the tenant takes, in s.
async fn gone(env: &Env, tenant: &Provisioned) -> f64 {
    let slug = tenant.tenant.slug.as_str();
    let begin = Instant::now();
    let rollback = ["tenant", "rollback", slug, "--confirm", slug, "--discard-data", "--no-wait", "--json"];
    let started = env.tenantry(&rollback).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().unwrap();
    // Far longer than anything else may take here.
    while !env.operation(id).await.state.is_final() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begin.elapsed().as_secs_f64();
    assert_eq!(env.operation(id).await.state.name(), "succeeded");
    env.assert_clean_slate(&tenant.tenant.placement).await;
    took
}

/// The daemon's peak memory.
fn peak_mb(env: &Env) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", env.daemon().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}

impl Flood {
    pub(crate) fn bars(&self, major: &str) -> Vec<Bar> {
        let name = |what: &str| format!("flood_{what}_on_{major}");
        vec![
            Bar::at_least(name("objects"), f64::from(self.objects), f64::from(OBJECTS)),
            Bar::at_most(name("longest_call_ms"), self.longest_ms, LONGEST_MS),
            Bar::at_most(name("memory_mb"), self.grown_mb, MOST_MB),
            Bar::at_most(name("victims_f"), f64::from(u8::from(self.victim == Grade::F)), 0.0),
            Bar::at_least(name("givers_f"), f64::from(u8::from(self.giver == Grade::F)), 1.0),
            Bar::at_most(name("audit_events_lost"), self.lost_events as f64, 0.0),
            Bar::at_most(name("victim_removed_s"), self.victim_gone_s, BUDGET_S),
            Bar::at_most(name("giver_removed_s"), self.giver_gone_s, BUDGET_S),
        ]
    }

    /// The line for the report.
    pub(crate) fn account(&self, version: &str) -> String {
        format!(
            "- {version}: {} large objects and default privileges in every schema, given to all roles of another tenant: it kept grade \
             {}, the giver has grade {}. The longest call about it took {:.0} ms (`{}`), the daemon's memory grew by {:.1} MB, and the \
             two were removed in {:.0} s and {:.0} s.\n",
            self.objects,
            self.victim,
            self.giver,
            self.longest_ms,
            self.longest,
            self.grown_mb,
            self.victim_gone_s,
            self.giver_gone_s
        )
    }
}
