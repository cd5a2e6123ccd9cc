//! Breaks operations at every point and in every way there is, and judges what is left: `make torture [RUNS=n SEED=s]`.
//!
//! It has six parts, each with its bar: the grid of single faults, random double and triple faults, cut COMMITs of operations, cut
//! COMMITs of changes of secrets, and random faults of upgrades of one tenant and of several.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod grid;
mod random;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tenantry_harness::bars::{self, Bar};
use tenantry_harness::binaries;
use tenantry_harness::torture::arena::Arena;
use tenantry_harness::torture::request::Scenario;
use tenantry_harness::{Cluster, Version};

use work::{Job, Tally, Yard};

/// This many runs cut [`CUTS`] commits, since not every run finds as many commits as it would cut.
const COMMIT_RUNS: u64 = 1_450;
const CUTS: u64 = 2_000;
const SECRET_RUNS: u64 = 50;

#[derive(Debug, Parser)]
#[command(about = "Breaks operations in every way there is, and judges what is left")]
struct Arguments {
    /// Runs with two or three faults
    #[arg(long, default_value_t = 500)]
    runs: u64,
    /// Runs with cut commits, one to three in each
    #[arg(long, default_value_t = COMMIT_RUNS)]
    commit_runs: u64,
    /// Cells of the grid; a part of them is a sample of all
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    cells: usize,
    /// The seed of the random runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Installations at once, each with a server of its own
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Run only these parts
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Run only jobs whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Skip what an earlier run with this seed has done
    #[arg(long)]
    resume: bool,
    /// On PostgreSQL 18 instead of the system's
    #[arg(long)]
    postgresql_18: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Grid,
    Random,
    Commits,
    Secrets,
    Upgrades,
    Fleets,
    Pools,
}

const PARTS: [Part; 7] =
    [Part::Grid, Part::Random, Part::Commits, Part::Secrets, Part::Upgrades, Part::Fleets, Part::Pools];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap();
    let is_met = runtime.block_on(run(&arguments));
    runtime.shutdown_background();
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(arguments: &Arguments) -> bool {
    let Arguments { seed, runs, commit_runs, .. } = *arguments;
    let version = if arguments.postgresql_18 { Version::V18 } else { Version::Packaged };
    let dir: PathBuf = binaries::target_dir().join(format!("torture/{version:?}-seed-{seed}"));
    println!("seed {seed}, {}, traces of violations in {}", binaries::server_version(version), dir.display());
    let yard = Yard { workers: arguments.workers, version, dir, resume: arguments.resume };
    let mut bars = Vec::new();
    for part in PARTS.into_iter().filter(|part| arguments.part.is_empty() || arguments.part.contains(part)) {
        let (name, mut jobs) = match part {
            Part::Grid => ("grid", cells(arguments, version).await),
            Part::Random => ("random", (0..runs).map(|run| random::faults(seed, run)).collect()),
            Part::Commits => ("commits", (0..commit_runs).map(|run| random::commits(seed, run)).collect()),
            Part::Upgrades => ("upgrades", (0..runs).map(|run| random::upgrades(seed, run)).collect()),
            Part::Fleets => ("fleets", (0..runs).map(|run| random::fleets(seed, run)).collect()),
            Part::Pools => ("pools", (0..runs).map(|run| random::pools(seed, run)).collect()),
            Part::Secrets => ("secrets", (0..SECRET_RUNS).map(|run| random::secrets(seed, run)).collect()),
        };
        jobs.retain(|job| job.name.contains(&arguments.only));
        if version == Version::V18 {
            without_archives(&mut jobs);
        }
        println!("{name}: seed {seed}, {}", binaries::server_version(version));
        let tally = yard.run(name, jobs).await;
        print(name, &tally);
        bars.push(Bar::at_most(format!("violations_in_{name}"), tally.violations.len() as f64, 0.0));
        match part {
            // If fewer runs are requested, fewer cuts are enough.
            Part::Commits if arguments.only.is_empty() => {
                let wanted = CUTS * commit_runs / COMMIT_RUNS;
                bars.push(Bar::at_least("cut_commits", tally.struck as f64, wanted as f64));
            }
            Part::Random | Part::Upgrades | Part::Fleets | Part::Pools if arguments.only.is_empty() => {
                bars.push(Bar::at_least(format!("{name}_runs"), tally.runs as f64, runs as f64));
            }
            _ => {}
        }
    }
    bars::print(&bars)
}

/// The cells of the grid, or as many of them as were requested.
async fn cells(arguments: &Arguments, version: Version) -> Vec<Job> {
    let arena = Arena::open(Cluster::private(version)).await;
    let can_run = |scenario: Scenario| version != Version::V18 || !scenario.archives();
    let mut cells = grid::cells(arguments.seed, arena, can_run).await;
    println!("grid: {} cells", cells.len());
    cells.truncate(arguments.cells);
    cells
}

/// No pg_dump comes with that server, and an older one refuses it: a scenario that would make an archive runs without one.
fn without_archives(jobs: &mut [Job]) {
    for job in jobs {
        job.trial.scenario = job.trial.scenario.without_archive();
    }
}

fn print(part: &str, tally: &Tally) {
    println!("{part}: {} runs, {} faults struck, ends {:?}", tally.runs, tally.struck, tally.ends);
    println!("{part}: {} runs whose last fault found no such point", tally.missed.len());
    tally.missed.iter().filter(|_| part == "grid").for_each(|name| println!("  cannot be: {name}"));
    tally.violations.iter().for_each(|violation| println!("violation {violation}"));
}
