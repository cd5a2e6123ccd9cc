//! False alarms: work is cut off again and again, at any moment, and the trail is whole each time. Beside the work an
//! administrator does what touches the trail itself: a new key, a hold, an export.

use std::time::Duration;

use futures::future::join_all;

use crate::audit_trail::{anchors_of, verdict};
use crate::harness::Env;

const TENANTS: usize = 4;
/// One run in so many takes the server with it, and one leaves the daemon time to end.
const SERVER_EVERY: u64 = 10;
const GENTLE_EVERY: u64 = 7;
/// What an administrator does, one in each run.
const BESIDE: [&[&str]; 5] = [
    &["audit", "rotate-key"],
    &["audit", "hold", "matter", "--reason", "work is cut off"],
    &["audit", "export", "--format", "csv"],
    &["audit", "release", "matter"],
    &["audit", "verify"],
];

/// Runs whose trail was not found whole.
pub(crate) async fn false_alarms(runs: u64, seed: u64) -> u64 {
    let cluster = crate::harness::Cluster::private(crate::harness::Version::Packaged);
    let mut env = Env::on(cluster).await;
    for n in 0..TENANTS {
        env.provision(&format!("crowd-{n}")).await;
    }
    let mut alarms = 0;
    for run in 0..runs {
        let random = (seed + run).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        work_and_crash(&mut env, run, random).await;
        // Every anchor that was ever written is as good as one that was kept elsewhere.
        let found = verdict(&env, anchors_of(&env)).await;
        let health = env.tenantry(&["rpc", "health"]).await.json();
        let trouble = &health["control"]["trail"]["trouble"];
        if found.broken.is_some() || !trouble.is_null() {
            alarms += 1;
            println!("  run {run} of seed {seed}: {:?}, {trouble}", found.broken);
        }
    }
    println!("{runs} runs with a crash, {alarms} false alarms");
    alarms
}

async fn work_and_crash(env: &mut Env, run: u64, random: u64) {
    let tenants: Vec<String> = (0..TENANTS).map(|n| format!("crowd-{n}")).collect();
    let name = format!("run {run}");
    let updates = join_all(tenants.iter().map(|slug| update(env, slug, &name)));
    let beside = BESIDE[usize::try_from(run).unwrap() % BESIDE.len()];
    let work = async { tokio::join!(updates, env.tenantry(beside)) };
    // Any moment of the work: what is cut off is different each time.
    let moment = Duration::from_micros(random % 120_000);
    tokio::select! {
        _ = work => {}
        () = tokio::time::sleep(moment) => {}
    }
    let daemon = env.take_daemon();
    if random.is_multiple_of(SERVER_EVERY) {
        env.cluster.crash();
        daemon.kill().await;
        env.cluster.restart();
    } else if random.is_multiple_of(GENTLE_EVERY) {
        daemon.stop().await;
    } else {
        daemon.kill().await;
    }
    env.start_daemon().await;
}

async fn update(env: &Env, slug: &str, name: &str) {
    // Most of these are cut off; what came of them is not what is looked at.
    let _ = env.tenantry(&["tenant", "update", slug, "--name", name]).await;
}
