//! Tenants of one blueprint on a durable server, brought from version to version.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Folder};
use tenantry_protocol::tenant::ProvisionRequest;
use tenantry_protocol::upgrade::{Upgrade, UpgradeChangeRequest, UpgradeRequest};
use tenantry_protocol::watch::{EventBody, WatchRequest};

use crate::floor;

/// Tenants of a target at a time, and sessions of the floor.
const WIDTH: usize = 4;
/// Clients that provision at once.
const CLIENTS: usize = 4;
const TABLES: usize = 40;

pub(crate) struct Fleet {
    pub(crate) env: Env,
    /// Tables of each tenant.
    tables: usize,
    /// The newest version's minor number.
    minor: usize,
    tenants: usize,
}

pub(crate) struct Killed {
    pub(crate) resumed_s: f64,
    pub(crate) twice: i64,
}

impl Fleet {
    pub(crate) async fn of(tenants: usize) -> Self {
        let mut this = Self::with_tables(TABLES).await;
        this.grow(tenants).await;
        floor::prepare(&this.env).await;
        this
    }

    /// No tenant yet.
    pub(crate) async fn with_tables(tables: usize) -> Self {
        let env = durable("[limits]\nverify_every_s = 0\nlease_ms = 1000\n").await;
        let mut this = Self { env, tables, minor: 0, tenants: 0 };
        this.add(0).await;
        this
    }

    /// Provisions tenants of the newest version until there are so many.
    pub(crate) async fn grow(&mut self, tenants: usize) {
        let begin = Instant::now();
        let slugs = (self.tenants..tenants).map(|number| format!("shop-{number:05}"));
        stream::iter(slugs).for_each_concurrent(CLIENTS, |slug| provision(&self.env, slug, "fleet")).await;
        self.tenants = tenants;
        println!("{tenants} tenants of {} tables in {:.1} s", self.tables, begin.elapsed().as_secs_f64());
    }

    /// Adds a version with all files up to this one.
    async fn add(&mut self, minor: usize) {
        let mut folder =
            Folder::new(&self.env.dir, "fleet", &format!("1.{minor}")).migration("base", &base(self.tables));
        for number in 1..=minor {
            let sql = format!(
                "alter table tasks add column ours_{number} text;\ncreate index tasks_ours_{number} on tasks (ours_{number});"
            );
            folder = folder.migration(&format!("step_{number}"), &sql);
        }
        self.env.add_blueprint(folder.path()).await;
        self.minor = minor;
    }

    /// Seconds in which all tenants are compared with their version; none has drifted.
    pub(crate) async fn drift(&self) -> f64 {
        let begin = Instant::now();
        self.env.tenantry(&["tenant", "drift", "--all", "--json"]).await.assert_status(0);
        begin.elapsed().as_secs_f64()
    }

    /// Our rate as a fraction of the floor's, as the median of the rounds.
    pub(crate) async fn beside_the_floor(&mut self, rounds: usize) -> f64 {
        let placements = self.placements().await;
        let mut ratios = Vec::new();
        for round in 1..=rounds {
            let floor = floor::run(&self.env, &placements, round, WIDTH).await.as_secs_f64();
            self.add(round).await;
            let (rehearsal, ours) = self.upgrade().await;
            let per = |seconds: f64| seconds * 1_000.0 / self.tenants as f64;
            println!(
                "round {round}: floor {:.2} ms a tenant, ours {:.2} ms after a rehearsal of {rehearsal:.2} s",
                per(floor),
                per(ours)
            );
            ratios.push(floor / ours);
        }
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }

    /// Seconds of an upgrade to a version with one more column and index, as the median of several.
    pub(crate) async fn of_one_step(&mut self, rounds: usize) -> f64 {
        let mut all = Vec::new();
        for _ in 0..rounds {
            self.add(self.minor + 1).await;
            all.push(self.upgrade().await.1);
        }
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    /// Seconds of the rehearsal, and of the upgrade of all tenants to the newest version. The rehearsal comes first, as with an
    /// operator who reads what an upgrade will do before approving it.
    async fn upgrade(&self) -> (f64, f64) {
        let begin = Instant::now();
        self.env.rpc().await.upgrade_rehearse(context(), Self::request(100)).await.unwrap().unwrap();
        let rehearsal = begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        let id = self.begin(100).await;
        let ended = self.wait(&id, |upgrade| upgrade.state.is_final()).await;
        let ours = begin.elapsed().as_secs_f64();
        assert_eq!(ended.state.name(), "succeeded", "{ended:?}");
        assert_eq!(ended.counts.done as usize, self.tenants);
        (rehearsal, ours)
    }

    /// Seconds of an upgrade that has nothing to do.
    pub(crate) async fn current(&self) -> f64 {
        let begin = Instant::now();
        let id = self.begin(100).await;
        let ended = self.wait(&id, |upgrade| upgrade.state.is_final()).await;
        assert_eq!((ended.state.name(), ended.counts.all()), ("succeeded", 0), "{ended:?}");
        begin.elapsed().as_secs_f64()
    }

    /// Seconds from the request for a pause until nothing runs any more.
    pub(crate) async fn paused(&mut self) -> f64 {
        self.add(self.minor + 1).await;
        let id = self.begin(100).await;
        self.wait(&id, |upgrade| upgrade.counts.done > 10).await;
        let client = self.env.rpc().await;
        let begin = Instant::now();
        client.upgrade_pause(context(), which(&id)).await.unwrap().unwrap();
        let still = self.wait(&id, |upgrade| upgrade.counts.running == 0).await;
        let took = begin.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let later = self.wait(&id, |_| true).await;
        assert_eq!(still.counts, later.counts, "nothing begins while it is paused");
        client.upgrade_resume(context(), which(&id)).await.unwrap().unwrap();
        self.wait(&id, |upgrade| upgrade.state.is_final()).await;
        took
    }

    /// A daemon that is killed in the middle, and another one that goes on.
    pub(crate) async fn killed(&mut self) -> Killed {
        self.add(self.minor + 1).await;
        let id = self.begin(100).await;
        let before = self.wait(&id, |upgrade| upgrade.counts.done > 10).await.counts.done;
        self.env.take_daemon().kill().await;
        let begin = Instant::now();
        self.env.start_daemon().await;
        self.wait(&id, |upgrade| upgrade.counts.done > before + 4).await;
        let resumed_s = begin.elapsed().as_secs_f64();
        let ended = self.wait(&id, |upgrade| upgrade.state.is_final()).await;
        assert_eq!(ended.state.name(), "succeeded", "{ended:?}");
        let twice = "select count(*) from (select from tenantry.migration_history group by placement, file having count(*) > 1) t";
        let twice = sqlx::query_scalar(twice).fetch_one(&mut self.env.target().await).await.unwrap();
        Killed { resumed_s, twice }
    }

    fn request(wave_percent: u32) -> UpgradeRequest {
        UpgradeRequest {
            blueprint: "fleet".to_owned(),
            wave_percent: Some(wave_percent),
            width: Some(u32::try_from(WIDTH).unwrap()),
            ..UpgradeRequest::default()
        }
    }

    async fn begin(&self, wave_percent: u32) -> String {
        let request = Self::request(wave_percent);
        let started = self.env.rpc().await.upgrade(context(), request).await.unwrap().unwrap();
        started.upgrade.id.to_string()
    }

    async fn wait(&self, id: &str, is_so: impl Fn(&Upgrade) -> bool) -> Upgrade {
        wait(&self.env, id, is_so).await
    }

    async fn placements(&self) -> Vec<String> {
        let sql = "select placement from control.tenant where blueprint = 'fleet' order by slug";
        sqlx::query_scalar(sql).fetch_all(&mut self.env.control().await).await.unwrap()
    }
}

/// An environment on a server that keeps what it commits, as a server for customers does.
pub(crate) async fn durable(lines: &str) -> Env {
    Env::with_config(Cluster::durable(), lines).await
}

/// Waits until the upgrade is so, and returns it.
pub(crate) async fn wait(env: &Env, id: &str, is_so: impl Fn(&Upgrade) -> bool) -> Upgrade {
    let client = env.rpc().await;
    loop {
        let upgrade = client.upgrade_status(context(), which(id)).await.unwrap().unwrap().upgrade;
        if is_so(&upgrade) {
            return upgrade;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn which(id: &str) -> UpgradeChangeRequest {
    UpgradeChangeRequest { upgrade: Some(id.to_owned()) }
}

pub(crate) async fn provision(env: &Env, slug: String, blueprint: &str) {
    let client = env.rpc().await;
    let mut cursor = client.watch(context(), WatchRequest::default()).await.unwrap().unwrap().cursor;
    let request = ProvisionRequest { slug, blueprint: blueprint.to_owned(), ..ProvisionRequest::default() };
    let operation = client.provision(context(), request).await.unwrap().unwrap().operation.id.to_string();
    loop {
        let request =
            WatchRequest { cursor: Some(cursor), operation: Some(operation.clone()), wait_ms: 30_000 };
        let answer = client.watch(context(), request).await.unwrap().unwrap();
        cursor = answer.cursor;
        for event in answer.events {
            if let EventBody::Operation { operation } = event.body
                && operation.state.is_final()
            {
                assert_eq!(operation.state.name(), "succeeded", "{operation:?}");
                return;
            }
        }
    }
}

/// So many tables, one of them `tasks`.
fn base(tables: usize) -> String {
    let others = (1..tables).map(|number| {
        format!(
            "create table t{number} (id bigint generated always as identity primary key, name text not null, at timestamptz);\n\
             create index t{number}_name on t{number} (name);\n"
        )
    });
    let tasks =
        "create table tasks (id bigint generated always as identity primary key, title text not null);\n";
    std::iter::once(tasks.to_owned()).chain(others).collect()
}
