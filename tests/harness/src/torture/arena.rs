//! One installation that is broken again and again: runs an operation while a script of faults strikes, restarts daemons
//! that died, and judges what is there when the operation has ended.
//!
//! Whatever strikes, there are two correct ends: nothing of the operation is there, or all of it. An operation may ask for
//! a person only if the command that it names then leads to one of the two.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::blueprints;
use super::faults::{Faults, World};
use super::guests;
use super::oracle::{self, State};
use super::proxy::Proxy;
use super::registry::{self, EndedOperation, Watcher};
use super::request::{self, Scenario};
use super::script::{self, Fault, Rule, Script};
use crate::binaries;
use crate::daemon::Daemon;
use crate::wait::PATIENCE;
use crate::{Cluster, Env};

/// Small limits, so that a thousand operations take minutes; the lease is as short as it may be.
const CONFIG: &str = "[limits]\nlease_ms = 500\noperation_budget_ms = 20000\nverify_every_s = 0\n";

pub struct Arena {
    pub env: Env,
    pub(super) faults: Arc<Faults>,
    pub(super) daemons: Vec<Daemon>,
    /// What each scenario changes when nothing breaks.
    pub(super) whole: HashMap<Scenario, Vec<String>>,
    /// The state without any tenant.
    pub(super) empty: Option<State>,
    /// Scenarios whose first tenant has been made and removed.
    ready: HashSet<Scenario>,
    pub(super) program: PathBuf,
    pub(super) serial: u32,
    /// Daemons that ended although nobody killed them.
    pub(super) deaths: Vec<String>,
    watcher: Watcher,
}

/// An operation that is to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub scenario: Scenario,
    pub rules: Vec<Rule>,
    /// Two, if one is to stand by.
    pub daemons: usize,
    /// Other tenants that are provisioned meanwhile, on the same target.
    pub company: usize,
}

/// The result of a trial.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The operation's state at its end; `absent` if there never was one.
    pub end: String,
    pub violations: Vec<String>,
    /// How many rules struck.
    pub struck: usize,
    pub trace: Vec<String>,
    pub took: Duration,
}

impl Arena {
    pub async fn open(cluster: Arc<Cluster>) -> Self {
        let mut env = Env::prepare(cluster).await;
        let script = Arc::new(Mutex::new(Script::default()));
        let proxy = Proxy::listen(&env.dir, &env.cluster.socket_dir(), Arc::clone(&script));
        env.server_dir.clone_from(&proxy.dir);
        env.write_config(CONFIG, &[("local", env.target_url())]);
        let world = World {
            cluster: Arc::clone(&env.cluster),
            control_db: env.control_db.clone(),
            roles: vec![env.control_role.clone(), env.provisioner.clone()],
        };
        // A copy of its own, so that a build in the meantime does not change what is tested.
        let (built, program) = (binaries::tenantryd_with_faults(), env.dir.join("tenantryd"));
        if std::fs::hard_link(&built, &program).is_err() {
            binaries::copy_program(&built, &program);
        }
        let faults = Faults::listen(&env.dir, world, proxy, script);
        let mut arena = Self {
            env,
            faults,
            daemons: Vec::new(),
            whole: HashMap::new(),
            empty: None,
            ready: HashSet::new(),
            program,
            serial: 0,
            deaths: Vec::new(),
            watcher: Watcher::default(),
        };
        arena.prepare().await;
        arena
    }

    /// Adds the blueprints, and prepares the target.
    async fn prepare(&mut self) {
        self.keep_daemons(1).await;
        for folder in blueprints::all(&self.env.dir) {
            request::add_blueprint(self.daemons[0].socket(), folder.path()).await;
        }
        self.make_ready(Scenario::Provision).await;
    }

    /// Does once what leaves something permanent, which is not a change that an operation makes.
    async fn make_ready(&mut self, scenario: Scenario) {
        let first = scenario.first();
        if !self.ready.insert(first[0]) {
            return;
        }
        for step in first {
            let slug = format!("first-{}", self.ready.len());
            let ended = self.see_through(step, &slug, &format!("{slug}-{step:?}")).await;
            assert!(ended.as_ref().is_ok_and(|ended| ended.state == "succeeded"), "{ended:?}");
        }
        self.empty = Some(State::take(&self.env).await);
        // Tables that all tenants share have more rows now than when the other scenarios were learned.
        self.whole.clear();
    }

    /// Learns what the scenario changes when nothing breaks.
    async fn learn(&mut self, scenario: Scenario) {
        if !self.whole.contains_key(&scenario) {
            let trial = Trial { scenario, rules: Vec::new(), daemons: 1, company: 0 };
            let verdict = Box::pin(self.run_once(&trial)).await;
            let is_whole = verdict.end.starts_with("succeeded") && verdict.violations.is_empty();
            assert!(is_whole, "{scenario:?}: {verdict:#?}");
        }
    }

    /// Runs an operation while its rules strike, judges the result, and cleans up.
    pub async fn run(&mut self, trial: &Trial) -> Verdict {
        self.make_ready(trial.scenario).await;
        // What a pool leaves behind is judged by what it holds.
        if !Scenario::POOLS.contains(&trial.scenario) {
            self.learn(trial.scenario).await;
        }
        self.run_once(trial).await
    }

    /// A number that no earlier trial had.
    pub(super) const fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    async fn run_once(&mut self, trial: &Trial) -> Verdict {
        if Scenario::POOLS.contains(&trial.scenario) {
            return Box::pin(self.run_pool(trial)).await;
        }
        if Scenario::FLEETS.contains(&trial.scenario) {
            return Box::pin(self.run_fleet(trial)).await;
        }
        let begin = Instant::now();
        let slug = format!("tenant-{}", self.next_serial());
        self.keep_daemons(trial.daemons).await;
        self.end_standbys(trial.daemons).await;
        for step in trial.scenario.preparation() {
            let ended = self.see_through(*step, &slug, &format!("{slug}-{step:?}")).await;
            assert!(
                ended.as_ref().is_ok_and(|ended| ended.state == "succeeded"),
                "{step:?} of {slug}: {ended:?}"
            );
        }
        let mut verdict = Verdict::default();
        // On a busy machine, a probe that has disconnected is still there for a moment.
        self.come_to_rest(&mut verdict).await;
        let (before, seq) = (State::take(&self.env).await, oracle::audit_seq(&self.env).await);
        let guests = match trial.scenario {
            Scenario::RollbackInUse => Some(guests::settle_in(&self.env, &slug).await),
            _ => None,
        };
        self.faults.load(trial.rules.clone());
        let company = guests::invite(self.daemons[0].socket(), &slug, trial.company);
        let ended = self.see_through(trial.scenario, &slug, &slug).await;
        self.faults.let_pass().await;
        let script = self.faults.unload().await;
        (verdict.struck, verdict.trace) = (script.struck, script.trace);
        drop(guests);
        for other in company {
            if let Err(problem) = self.see_through(Scenario::Provision, &other, &other).await {
                verdict.violations.push(problem);
            }
            self.remove(&other, &mut verdict).await;
        }
        match ended {
            Ok(ended) => {
                verdict.end.clone_from(&ended.state);
                self.judge(trial, &slug, ended, &before, &mut verdict).await;
            }
            Err(problem) => {
                verdict.end = "never".to_owned();
                verdict.violations.push(problem);
            }
        }
        self.clean_up(&slug, &mut verdict).await;
        verdict.violations.extend(oracle::audit_problems(&self.env, seq).await);
        verdict.violations.append(&mut self.deaths);
        verdict.took = begin.elapsed();
        verdict
    }

    /// Checks that nothing of the operation is there, or all of it.
    async fn judge(
        &mut self,
        trial: &Trial,
        slug: &str,
        ended: EndedOperation,
        before: &State,
        verdict: &mut Verdict,
    ) {
        if ended.state == "needs_attention" {
            // What an upgrade has committed stays, so that a cancel in the middle leaves the rest to a person.
            let is_partly = trial.scenario == Scenario::UpgradeOutside
                && trial.rules.iter().any(|rule| matches!(rule, Rule::At { fault: Fault::Cancel, .. }));
            if !script::struck_for_good(&verdict.trace) && !is_partly {
                verdict.violations.push("asks for a person, and all that struck passes".to_owned());
            }
            // For a secret, the command that it names is to ask again.
            let asks_again = Scenario::SECRETS.contains(&trial.scenario);
            let next = if asks_again { trial.scenario } else { Scenario::Retry(ended.id) };
            let retried = self.see_through(next, slug, &format!("{slug}-retry")).await;
            match retried {
                Ok(again) if again.state == "succeeded" => {}
                other => verdict.violations.push(format!("the retry that it named ended with {other:?}")),
            }
        }
        self.come_to_rest(verdict).await;
        let after = State::take(&self.env).await;
        let placement = registry::placement(&self.env, slug).await;
        let mut names = vec![(slug, "SLUG")];
        if let Some(placement) = &placement {
            names.push((placement, "PLACEMENT"));
        }
        let change = before.change(&after, &names);
        let has_happened = match verdict.end.as_str() {
            "succeeded" => true,
            // Retrying a provision removes it.
            "needs_attention" => !Scenario::PROVISIONS.contains(&trial.scenario),
            _ => false,
        };
        self.compare(trial.scenario, change, has_happened, verdict);
    }

    /// Compares a change with that of the scenario when nothing breaks, or with none.
    pub(super) fn compare(
        &mut self,
        scenario: Scenario,
        change: Vec<String>,
        has_happened: bool,
        verdict: &mut Verdict,
    ) {
        let whole = self.whole.entry(scenario).or_insert_with(|| change.clone());
        let expected: &[String] = if has_happened { whole } else { &[] };
        if change != expected {
            let missing =
                expected.iter().filter(|line| !change.contains(line)).map(|line| format!("missing {line}"));
            let extra =
                change.iter().filter(|line| !expected.contains(line)).map(|line| format!("extra {line}"));
            verdict.violations.extend(missing.chain(extra).take(20));
        }
    }

    /// Removes the tenant if it exists, and checks that it leaves nothing.
    async fn clean_up(&mut self, slug: &str, verdict: &mut Verdict) {
        self.remove(slug, verdict).await;
        self.nothing_is_left(verdict).await;
    }

    pub(super) async fn nothing_is_left(&self, verdict: &mut Verdict) {
        self.come_to_rest(verdict).await;
        if let Some(empty) = &self.empty {
            let left = empty.change(&State::take(&self.env).await, &[]);
            verdict
                .violations
                .extend(left.into_iter().take(20).map(|line| format!("left after the end: {line}")));
        }
    }

    pub(super) async fn remove(&mut self, slug: &str, verdict: &mut Verdict) {
        if registry::is_living(&self.env, slug).await {
            match self.see_through(Scenario::Rollback, slug, &format!("{slug}-end")).await {
                Ok(ended) if ended.state == "succeeded" => {}
                other => verdict.violations.push(format!("its removal ended with {other:?}")),
            }
        }
    }

    /// Keeps the logs of the daemons and the server.
    pub fn save_logs(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("server.log"), self.env.cluster.server_log()).unwrap();
        for entry in std::fs::read_dir(&self.env.dir).unwrap().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                std::fs::copy(&path, dir.join(entry.file_name())).unwrap();
            }
        }
    }

    pub(super) async fn come_to_rest(&self, verdict: &mut Verdict) {
        verdict.violations.extend(oracle::come_to_rest(&self.env).await);
    }

    /// Requests an operation under a key until it is on record, keeps a daemon alive, and waits for the end.
    pub(super) async fn see_through(
        &mut self,
        scenario: Scenario,
        slug: &str,
        key: &str,
    ) -> Result<EndedOperation, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut refusals = 0;
        let mut asked = None;
        loop {
            self.keep_daemons(1).await;
            let found = self.watcher.by_key(&self.env, scenario, key).await;
            if let Ok(Some(ended)) = &found
                && ended.is_final()
            {
                return Ok(ended.clone());
            }
            if matches!(found, Ok(None)) && asked.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
                if let Some(asked) = asked.take()
                    && let Err(problem) = asked.await.unwrap_or_else(|error| Err(error.to_string()))
                {
                    refusals += 1;
                    if refusals > 40 {
                        return Err(format!("{scenario:?} is refused: {problem}"));
                    }
                }
                // There is no daemon if the one that was to answer has just died: the next round starts another.
                if let Some(daemon) = self.daemons.get(refusals % self.daemons.len().max(1)) {
                    let socket = daemon.socket().to_owned();
                    let (slug, key) = (slug.to_owned(), key.to_owned());
                    let ask = async move { request::send(&socket, scenario, &slug, &key).await };
                    asked = Some(tokio::spawn(ask));
                }
            }
            if Instant::now() > deadline {
                return Err(format!("{scenario:?} is still {found:?} after {} s", PATIENCE.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
