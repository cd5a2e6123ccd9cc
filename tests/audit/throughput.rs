//! What the trail costs: provisioning at 16 clients, in turns by a daemon with the trail and by one whose writer does
//! nothing.

use std::time::Instant;

use futures::StreamExt as _;
use futures::stream;
use tenantry_harness::daemon::Daemon;
use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Version, binaries};
use tenantry_protocol::tenant::ProvisionRequest;
use tenantry_protocol::watch::{EventBody, WatchRequest};

const CLIENTS: usize = 16;
const TENANTS: usize = 48;

struct Side {
    env: Env,
    made: usize,
}

impl Side {
    async fn start(is_off: bool) -> Self {
        let mut env = Env::prepare(Cluster::private(Version::Packaged)).await;
        env.write_config("", &[("local", env.target_url())]);
        let config = env.config_path();
        let off = [("TENANTRY_AUDIT_OFF", "1")];
        let variables: &[(&str, &str)] = if is_off { &off } else { &[] };
        let program = binaries::tenantryd_with_faults();
        let arguments = ["--config", config.to_str().unwrap()];
        let daemon = Daemon::launch(&program, &arguments, &env.dir, variables).await.unwrap();
        env.adopt(daemon);
        Self { env, made: 0 }
    }

    /// Tenants per second.
    async fn round(&mut self) -> f64 {
        let begin = Instant::now();
        let names: Vec<String> = (self.made..self.made + TENANTS).map(|n| format!("tenant-{n}")).collect();
        self.made += TENANTS;
        let env = &self.env;
        stream::iter(names).for_each_concurrent(CLIENTS, |slug| provision(env, slug)).await;
        TENANTS as f64 / begin.elapsed().as_secs_f64()
    }
}

/// Uses the daemon's own methods, since a client process for each tenant would hide the daemon's share of the time.
async fn provision(env: &Env, slug: String) {
    let client = env.rpc().await;
    let start = client.watch(context(), WatchRequest::default()).await.unwrap().unwrap();
    let request = ProvisionRequest {
        slug,
        blueprint: "projects".into(),
        version: Some("1.0".into()),
        ..ProvisionRequest::default()
    };
    let operation = client.provision(context(), request).await.unwrap().unwrap().operation;
    let mut cursor = start.cursor;
    loop {
        let request =
            WatchRequest { cursor: Some(cursor), operation: Some(operation.id.to_string()), wait_ms: 30_000 };
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

/// The rate with the trail, as a fraction of the rate without it.
pub(crate) async fn with_and_without(rounds: usize) -> f64 {
    let (mut on, mut off) = (Side::start(false).await, Side::start(true).await);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (a, b) = (on.round().await, off.round().await);
        // The first round warms up.
        if round > 0 {
            with.push(a);
            without.push(b);
        }
    }
    let (with, without) = (median(with), median(without));
    println!("{with:.1} tenants a second with the trail, {without:.1} without, at {CLIENTS} clients");
    with / without
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
