//! The isolation, proven from outside: `make isolation`. On each version of PostgreSQL the verifier must catch what is
//! planted, and tenants of each tenancy attack each other in all ordered pairs. One tenant floods another with what it
//! gives it. The report lists what was tried.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod flood;
mod pairs;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tenantry_harness::bars::{self, Bar};
use tenantry_harness::isolation::proving_ground::ProvingGround;
use tenantry_harness::isolation::{planted, slots, trial};
use tenantry_harness::{Cluster, Env, Version, binaries};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::IsolationReport;

use flood::Flood;
use pairs::{Fleet, Pairs};

const LEAST_PROBES: usize = 40;
const LEAST_PLANTED: usize = 75;
/// Misconfigurations of shared tables, and blueprints of them that must be refused.
const LEAST_IN_POOLS: usize = 20;
/// Attacks of one tenant on another: its five roles, two changes of them, and at least one object of its own.
const LEAST_ATTACKS_ON_A_PAIR: usize = 8;
/// The most that the median provision and the median full verification may take, in ms.
const CORE_MS: f64 = 15.0;
const FULL_MS: f64 = 1_000.0;

const TENANCIES: [Tenancy; 3] = [Tenancy::Schema, Tenancy::Database, Tenancy::Shared];

#[derive(Debug, Parser)]
#[command(about = "Attacks tenants, plants misconfigurations, and writes down what came of it")]
struct Arguments {
    /// Tenants of each tenancy, which attack each other in all ordered pairs
    #[arg(long, default_value_t = 10)]
    tenants: usize,
    /// Only on PostgreSQL 18, or only on the system's version
    #[arg(long, value_parser = ["15", "18"])]
    only: Option<String>,
    /// Only this: tenants take all connections after the daemon has rested for so many seconds
    #[arg(long, value_name = "SECONDS")]
    idle: Option<u64>,
    /// Prints the figures and leaves the report as it is
    #[arg(long)]
    dry: bool,
}

/// The results for one version of the server.
struct Proof {
    version: String,
    planted: usize,
    refused: Vec<&'static str>,
    missed: Vec<String>,
    pools: PoolProof,
    fleets: Vec<FleetProof>,
    flood: Flood,
}

/// What was tried on shared tables: by an administrator once they existed, and by blueprints that were to build them.
struct PoolProof {
    planted: usize,
    missed: Vec<String>,
    hostile: usize,
    /// Blueprints that were not refused by name, or were refused although they were valid.
    misjudged: Vec<String>,
}

/// The results for tenants of one tenancy.
struct FleetProof {
    tenancy: Tenancy,
    pairs: Pairs,
    /// A full report of one of them, for its probes and residual channels.
    report: IsolationReport,
    grades: Vec<String>,
    core_ms: f64,
    core_step_ms: f64,
    full_ms: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    if let Some(seconds) = arguments.idle {
        runtime.block_on(take_all_connections(&arguments, Duration::from_secs(seconds)));
        runtime.shutdown_background();
        return ExitCode::SUCCESS;
    }
    let proofs = runtime.block_on(prove(&arguments));
    runtime.shutdown_background();
    if !arguments.dry {
        report::write(&proofs, arguments.tenants);
    }
    if bars::print(&bars(&proofs, arguments.tenants)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The requested versions of the server.
fn versions(arguments: &Arguments) -> impl Iterator<Item = Version> {
    let all = [("15", Version::Packaged), ("18", Version::V18)].into_iter();
    let wanted = all.filter(|(name, _)| arguments.only.as_deref().is_none_or(|only| only == *name));
    wanted.map(|(_, version)| version)
}

/// Panics if a flood locks the daemon out. All run at once, since they mostly rest.
async fn take_all_connections(arguments: &Arguments, idle: Duration) {
    let floods = versions(arguments).map(|version| async move {
        slots::withstand(version, idle).await;
        println!(
            "{}: all connections were taken after {} s of rest, and the daemon answered",
            binaries::server_version(version),
            idle.as_secs()
        );
    });
    futures::future::join_all(floods).await;
}

async fn prove(arguments: &Arguments) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for version in versions(arguments) {
        let server = binaries::server_version(version);
        println!("on {server}");
        let ground = ProvingGround::new(version).await;
        let harvest = ground.plant_everything().await;
        drop(ground);
        let pools = break_pools(version).await;
        let mut fleets = Vec::new();
        for tenancy in TENANCIES {
            let env = Env::on(Cluster::private(version)).await;
            let proof = attack_each_other(&env, tenancy, arguments.tenants).await;
            println!(
                "{}: {} attacks, {} leaks",
                tenancy.name(),
                proof.pairs.attacks,
                proof.pairs.leaks.len()
            );
            fleets.push(proof);
        }
        let flood = flood::prove(version).await;
        println!("flood: {flood:?}");
        let planted = planted::planted().len() - harvest.refused.len();
        proofs.push(Proof {
            version: server,
            planted,
            refused: harvest.refused,
            missed: harvest.wrong,
            pools,
            fleets,
            flood,
        });
    }
    proofs
}

async fn break_pools(version: Version) -> PoolProof {
    let ground = ProvingGround::of(version, "ledger").await;
    let harvest = ground.plant_everything().await;
    drop(ground);
    let env = Env::on(Cluster::private(version)).await;
    trial::prepare(&env).await;
    let (misjudged, hostile) = trial::judge_all(&env).await;
    PoolProof {
        planted: planted::planted_in_a_pool().len() - harvest.refused.len(),
        missed: harvest.wrong,
        hostile,
        misjudged,
    }
}

async fn attack_each_other(env: &Env, tenancy: Tenancy, tenants: usize) -> FleetProof {
    let fleet = Fleet::provision(env, tenancy, tenants).await;
    let core_ms = median(fleet.core_reports.iter().map(|report| report.duration_ms).collect());
    let pairs = fleet.attack_in_all_pairs(env).await;
    let (mut times, mut grades, mut newest) = (Vec::new(), Vec::new(), None);
    for slug in fleet.slugs() {
        let verified = env.tenantry(&["tenant", "verify", &slug, "--json"]).await.json();
        let report: IsolationReport = serde_json::from_value(verified["report"].clone()).unwrap();
        times.push(verified["operation"]["duration_ms"].as_f64().unwrap());
        grades.push(report.grade().to_string());
        newest = Some(report);
    }
    let core_step_ms = median(fleet.core_steps);
    let full_ms = median(times);
    FleetProof { tenancy, pairs, report: newest.unwrap(), grades, core_ms, core_step_ms, full_ms }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn bars(proofs: &[Proof], tenants: usize) -> Vec<Bar> {
    let mut bars = Vec::new();
    let least = |name: String, value: usize, limit: usize| Bar::at_least(name, value as f64, limit as f64);
    let none = |name: String, value: usize| Bar::at_most(name, value as f64, 0.0);
    for proof in proofs {
        let major = proof.version.split(['.', ' ']).find(|word| word.parse::<u32>().is_ok()).unwrap_or("?");
        bars.push(least(format!("planted_on_{major}"), proof.planted, LEAST_PLANTED));
        bars.push(none(format!("planted_and_missed_on_{major}"), proof.missed.len()));
        proof.missed.iter().for_each(|missed| println!("  {missed}"));
        let pools = &proof.pools;
        bars.push(least(format!("planted_in_pools_on_{major}"), pools.planted, LEAST_IN_POOLS));
        bars.push(none(format!("planted_in_pools_and_missed_on_{major}"), pools.missed.len()));
        bars.push(least(format!("hostile_blueprints_on_{major}"), pools.hostile, LEAST_IN_POOLS));
        bars.push(none(format!("hostile_blueprints_misjudged_on_{major}"), pools.misjudged.len()));
        pools.missed.iter().chain(&pools.misjudged).for_each(|wrong| println!("  {wrong}"));
        bars.extend(proof.flood.bars(major));
        for fleet in &proof.fleets {
            let at = format!("{}_on_{major}", fleet.tenancy.name());
            bars.push(least(format!("probes_{at}"), fleet.report.verdicts.len(), LEAST_PROBES));
            bars.push(least(format!("pairs_{at}"), fleet.pairs.pairs, tenants * (tenants - 1)));
            let least_attacks = fleet.pairs.pairs * LEAST_ATTACKS_ON_A_PAIR;
            bars.push(least(format!("attacks_{at}"), fleet.pairs.attacks, least_attacks));
            bars.push(none(format!("leaks_{at}"), fleet.pairs.leaks.len()));
            fleet.pairs.leaks.iter().take(20).for_each(|leak| println!("  {leak}"));
            let failed = fleet.grades.iter().filter(|grade| *grade == "F").count();
            bars.push(none(format!("grade_f_{at}"), failed));
            bars.push(Bar::at_most(format!("core_ms_{at}"), fleet.core_ms, CORE_MS));
            bars.push(Bar::at_most(format!("full_ms_{at}"), fleet.full_ms, FULL_MS));
        }
    }
    bars
}
