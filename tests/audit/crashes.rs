//! False alarms: work is cut off again and again, at any moment, and the trail must be whole each time. Meanwhile an
//! administrator does things that touch the trail itself: a new key, a hold, an export.

use std::time::Duration;

use futures::future::join_all;
use tenantry_harness::Env;
use tenantry_harness::trail::{anchors_of, verdict};

const TENANTS: usize = 4;
/// In one run out of this many the server crashes too; in one out of `GENTLE_EVERY` the daemon has time to end.
const SERVER_EVERY: u64 = 10;
const GENTLE_EVERY: u64 = 7;
/// The work is cut off within this time, about half of which it needs.
const LONGEST_US: u64 = 240_000;
/// What an administrator does meanwhile, one command in each run.
const BESIDE: [&[&str]; 5] = [
    &["audit", "rotate-key"],
    &["audit", "hold", "matter", "--reason", "work is cut off"],
    &["audit", "export", "--format", "csv"],
    &["audit", "release", "matter"],
    &["audit", "verify"],
];

/// The number of runs whose trail was not found whole.
pub(crate) async fn false_alarms(runs: u64, seed: u64) -> u64 {
    let cluster = tenantry_harness::Cluster::private(tenantry_harness::Version::Packaged);
    let mut env = Env::on(cluster).await;
    for n in 0..TENANTS {
        env.provision(&format!("crowd-{n}")).await;
    }
    let (mut alarms, mut ends, mut cut) = (0, [0; 3], 0);
    let mut succeeded = [false; BESIDE.len()];
    for run in 0..runs {
        let random = (seed + run).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        let beside = usize::try_from(run).unwrap() % BESIDE.len();
        let done = work(&mut env, BESIDE[beside], &format!("run {run}"), random).await;
        match done {
            Some(status) => succeeded[beside] |= status == 0,
            None => cut += 1,
        }
        ends[end(&mut env, random).await] += 1;
        // Every anchor that was ever written is as good as one that was kept elsewhere.
        let found = verdict(&env, anchors_of(&env)).await;
        let health = env.tenantry(&["rpc", "health"]).await.json();
        let trouble = &health["control"]["trail"]["trouble"];
        if found.broken.is_some() || !trouble.is_null() {
            alarms += 1;
            println!("  run {run} of seed {seed}: {:?}, {trouble}", found.broken);
        }
    }
    let [servers, daemons, gentle] = ends;
    println!(
        "{runs} runs, {cut} of them cut off in their work; {servers} ended with the server's crash, {daemons} with the \
         daemon's, {gentle} by its own will; {alarms} false alarms"
    );
    assert!(cut * 3 > runs, "work was cut off in {cut} of {runs} runs only");
    let never: Vec<_> = BESIDE.iter().zip(succeeded).filter(|(_, is_done)| !is_done).collect();
    assert!(runs < 50 || never.is_empty(), "never succeeded: {never:?}");
    alarms
}

/// The exit status of the administrator's command, if it ended before the work was cut off.
async fn work(env: &mut Env, beside: &[&str], name: &str, random: u64) -> Option<i32> {
    let tenants: Vec<String> = (0..TENANTS).map(|n| format!("crowd-{n}")).collect();
    let updates = join_all(tenants.iter().map(|slug| update(env, slug, name)));
    let work = async { tokio::join!(updates, env.tenantry(beside)) };
    // Any moment of the work: each run cuts off something different.
    let moment = Duration::from_micros(random % LONGEST_US);
    tokio::select! {
        (_, done) = work => Some(done.status),
        () = tokio::time::sleep(moment) => None,
    }
}

/// Ends the daemon and starts another; returns which of the three ways was used.
async fn end(env: &mut Env, random: u64) -> usize {
    let daemon = env.take_daemon();
    let how = if random.is_multiple_of(SERVER_EVERY) {
        env.cluster.crash();
        daemon.kill().await;
        env.cluster.restart();
        0
    } else if random.is_multiple_of(GENTLE_EVERY) {
        daemon.stop().await;
        2
    } else {
        daemon.kill().await;
        1
    };
    env.start_daemon().await;
    how
}

async fn update(env: &Env, slug: &str, name: &str) {
    // Most of these are cut off; their results do not matter.
    let _ = env.tenantry(&["tenant", "update", slug, "--name", name]).await;
}
