//! A server with few connections, and tenants that take them all. Shared with the proof, in which the daemon rests first.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tenantry_protocol::tenant::Credentials;

use crate::environment::log_in;
use crate::wait::PATIENCE;
use crate::{Cluster, Env, Folder, Version, eventually};

/// The server's connections; three of them are reserved for superusers.
const SERVER: u32 = 30;
/// The connections that each of the two tenants may take.
const TENANT: i64 = 20;
/// The connections that the daemon keeps: four for the target, one to look from, one to read the catalog with, eight for the
/// registry, and one for the lease.
const KEPT: usize = 15;

/// How long the daemon's connections stay the same before they count as at rest, and how often they are looked at.
const REST: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Two tenants that may take more connections than there are.
pub struct Flood {
    logins: Vec<Credentials>,
    sessions: Vec<PgConnection>,
}

/// An environment whose server was restarted while the daemon ran: the daemon has reopened its connections by itself.
pub async fn on_a_small_server(version: Version) -> Env {
    let env = Env::on(Cluster::private(version)).await;
    let folder = Folder::new(&env.dir, "greedy", "1.0")
        .migration("first", "create table first (id int primary key);")
        .setting("connection_limit", TENANT);
    env.add_blueprint(folder.path()).await;
    env.cluster.execute("postgres", format!("alter system set max_connections = {SERVER}")).await;
    env.cluster.crash();
    env.cluster.restart();
    kept(&env).await;
    env
}

/// The pids of the server's processes for the daemon, once there are as many as it keeps.
pub async fn kept(env: &Env) -> Vec<i32> {
    eventually("the daemon has its connections", async || {
        let found = daemons(env).await;
        (found.len() >= KEPT).then_some(found)
    })
    .await
}

/// The daemon's connections, once they have stayed the same for a moment: that of the last build may be due for replacement, and
/// another one replaces it before it closes.
async fn at_rest(env: &Env) -> Vec<i32> {
    let begin = Instant::now();
    let (mut before, mut since) = (kept(env).await, Instant::now());
    while since.elapsed() < REST {
        assert!(begin.elapsed() < PATIENCE, "the daemon's connections never came to rest: {before:?}");
        tokio::time::sleep(LOOK_EVERY).await;
        let now = kept(env).await;
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    before
}

async fn daemons(env: &Env) -> Vec<i32> {
    let sql = "select pid from pg_stat_activity where application_name = 'tenantryd' order by pid";
    sqlx::query_scalar(sql).fetch_all(&mut env.cluster.superuser("postgres").await).await.unwrap()
}

impl Flood {
    pub async fn prepare(env: &Env) -> Self {
        let mut logins = Vec::new();
        for slug in ["acme", "initech"] {
            logins.push(env.provision_of(slug, "greedy").await.credentials);
        }
        Self { logins, sessions: Vec::new() }
    }

    /// Takes every connection that is left; returns the SQLSTATE of the last refusal.
    pub async fn rise(&mut self) -> String {
        let mut refused = String::new();
        for login in &self.logins {
            loop {
                match log_in(login).await {
                    Ok(session) => self.sessions.push(session),
                    Err(error) => {
                        let error = error.into_database_error().expect("the server's own refusal");
                        refused = error.code().unwrap_or_default().into_owned();
                        break;
                    }
                }
            }
        }
        refused
    }
}

/// After `idle`, tenants hold all connections of the server. The daemon answers, shows the trail, and suspends a tenant.
pub async fn withstand(version: Version, idle: Duration) {
    let env = on_a_small_server(version).await;
    let mut flood = Flood::prepare(&env).await;
    tokio::time::sleep(idle).await;
    let before = at_rest(&env).await;
    let refused = flood.rise().await;
    assert_eq!(refused, "53300", "the server has no connection left; {} were taken", flood.sessions.len());

    let status = env.tenantry(&["status", "--json"]).await.assert_status(0).json();
    assert_eq!(status["health"]["control"]["reachable"], true, "{status}");
    assert_eq!(status["health"]["targets"][0]["reachable"], true, "{status}");
    env.tenantry(&["audit", "list"]).await.assert_status(0);
    env.tenantry(&["tenant", "show", "acme"]).await.assert_status(0);
    let held = daemons(&env).await;
    assert!(before.iter().all(|pid| held.contains(pid)), "{before:?} were kept: {held:?}");
    let suspended = env.tenantry(&["tenant", "suspend", "acme", "--json"]).await.assert_status(0).json();
    assert_eq!(suspended["tenant"]["state"]["name"], "suspended", "{suspended}");
    let left = "select count(*) from pg_stat_activity where usename = $1";
    let left: i64 = sqlx::query_scalar(left)
        .bind(&flood.logins[0].role)
        .fetch_one(&mut env.cluster.superuser("postgres").await)
        .await
        .unwrap();
    assert_eq!(left, 0, "the suspended tenant has no session any more");
    env.tenantry(&["audit", "list"]).await.assert_status(0);
}
