//! One tenant's table is held for half a minute: nobody's work waits long behind the upgrade, and the other tenants get theirs.

use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::Connection as _;
use tenantry_harness::bars::Bar;
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::tenant::Credentials;
use tenantry_protocol::upgrade::UpgradeRequest;

use crate::fleet::{durable, provision, wait};

/// How long the table is held.
const HELD: Duration = Duration::from_secs(30);
/// The longest that a statement of the tenant may wait behind us, in ms.
const WAIT_MS: f64 = 1_000.0;
const TENANTS: usize = 20;
/// The most that others' statements may take beside the upgrade, at the 99th percentile, and a provision at the 95th, each as a
/// multiple of what they take without it.
const STATEMENTS: f64 = 1.25;
const PROVISIONS: f64 = 1.5;
/// Tenants whose statements are measured.
const BUSY: usize = 4;

pub(crate) async fn bars() -> Vec<Bar> {
    let env = durable("[limits]\nverify_every_s = 0\n").await;
    let folder = |version: &str| {
        Folder::new(&env.dir, "shop", version)
            .migration("items", "create table items (id bigint primary key, name text);")
    };
    env.add_blueprint(folder("1.0").path()).await;
    let mut logins = Vec::new();
    for number in 0..TENANTS {
        logins.push(env.provision_of(&format!("shop-{number:02}"), "shop").await.credentials);
    }
    let added = folder("1.1").migration("price", "alter table items add column price numeric;");
    env.add_blueprint(added.path()).await;
    let busy: Vec<Credentials> = logins[10..10 + BUSY].to_vec();
    let without = Noticed::of(&env, &busy, "early").await;
    let held = logins[5].clone();
    let (waits, others_s, beside) =
        tokio::join!(work_of(&env, &held), upgrade(&env), Noticed::of(&env, &busy, "meanwhile"));
    let (longest, statements) = waits;
    println!("without the upgrade {without:?}, beside it {beside:?}");
    println!("{statements} statements beside the one that holds the table; the longest took {longest:.0} ms");
    println!("the other {} tenants had the version after {others_s:.1} s", TENANTS - 1);
    vec![
        Bar::at_most("longest_wait_behind_us_ms", longest, WAIT_MS),
        Bar::at_most("others_upgraded_s", others_s, HELD.as_secs_f64() / 2.0),
        Bar::at_most("others_p99_to_without", beside.statements_ms / without.statements_ms, STATEMENTS),
        Bar::at_most("provisions_p95_to_without", beside.provisions_ms / without.provisions_ms, PROVISIONS),
    ]
}

/// What others notice: statements of tenants at the 99th percentile, and provisions at the 95th, in ms.
#[derive(Debug)]
struct Noticed {
    statements_ms: f64,
    provisions_ms: f64,
}

impl Noticed {
    /// As long as the table is held.
    async fn of(env: &Env, busy: &[Credentials], name: &str) -> Self {
        let statements = join_all(busy.iter().map(|login| statements(env, login)));
        let (statements, provisions) = tokio::join!(statements, provisions(env, name));
        Self {
            statements_ms: percentile(statements.concat(), 0.99),
            provisions_ms: percentile(provisions, 0.95),
        }
    }
}

fn percentile(mut all: Vec<f64>, part: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    all[((all.len() - 1) as f64 * part).round() as usize]
}

async fn statements(env: &Env, login: &Credentials) -> Vec<f64> {
    let mut session = env.log_in(login).await;
    let (begin, mut all) = (Instant::now(), Vec::new());
    while begin.elapsed() < HELD {
        let id = i64::try_from(all.len()).unwrap();
        let one = Instant::now();
        sqlx::query("insert into items (id, name) values ($1, 'of a shop') on conflict do nothing")
            .bind(id)
            .execute(&mut session)
            .await
            .unwrap();
        all.push(one.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    all
}

async fn provisions(env: &Env, name: &str) -> Vec<f64> {
    let (begin, mut all) = (Instant::now(), Vec::new());
    while begin.elapsed() < HELD {
        let one = Instant::now();
        provision(env, format!("{name}-{}", all.len()), "shop").await;
        all.push(one.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    all
}

/// Holds the table with one session, and reads it with another all the while: the longest read, and their number.
async fn work_of(env: &Env, login: &Credentials) -> (f64, usize) {
    let (mut holder, mut reader) = (env.log_in(login).await, env.log_in(login).await);
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select count(*) from items").execute(&mut *held).await.unwrap();
    let (begin, mut longest, mut statements) = (Instant::now(), 0.0_f64, 0);
    while begin.elapsed() < HELD {
        let one = Instant::now();
        sqlx::query("select count(*) from items").execute(&mut reader).await.unwrap();
        longest = longest.max(one.elapsed().as_secs_f64() * 1_000.0);
        statements += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    held.rollback().await.unwrap();
    (longest, statements)
}

/// Seconds until all other tenants have the version.
async fn upgrade(env: &Env) -> f64 {
    let begin = Instant::now();
    let request =
        UpgradeRequest { blueprint: "shop".to_owned(), wave_percent: Some(100), ..UpgradeRequest::default() };
    let started = env.rpc().await.upgrade(context(), request).await.unwrap().unwrap();
    let id = started.upgrade.id.to_string();
    wait(env, &id, |upgrade| upgrade.counts.done as usize >= TENANTS - 1).await;
    let others_s = begin.elapsed().as_secs_f64();
    let ended = wait(env, &id, |upgrade| upgrade.state.is_final() && upgrade.counts.running == 0).await;
    println!("the held one in the end: {:?}", ended.counts);
    others_s
}
