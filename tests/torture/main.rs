//! Breaks operations at every point and in every way there is, and judges what is left: `make torture [RUNS=n SEED=s]`.
//!
//! It has four parts, each with its bar: the grid of single faults, random double and triple faults, cut COMMITs of
//! operations, and cut COMMITs of changes of secrets.

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
use tenantry_harness::Version;
use tenantry_harness::bars::{self, Bar};
use tenantry_harness::binaries;

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
}

const PARTS: [Part; 4] = [Part::Grid, Part::Random, Part::Commits, Part::Secrets];

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
            Part::Grid => ("grid", grid::cells(seed)),
            Part::Random => ("random", (0..runs).map(|run| random::faults(seed, run)).collect()),
            Part::Commits => ("commits", (0..commit_runs).map(|run| random::commits(seed, run)).collect()),
            Part::Secrets => ("secrets", (0..SECRET_RUNS).map(|run| random::secrets(seed, run)).collect()),
        };
        jobs.retain(|job| job.name.contains(&arguments.only));
        if version == Version::V18 {
            without_archives(name, &mut jobs);
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
            Part::Random if arguments.only.is_empty() => {
                bars.push(Bar::at_least("random_runs", tally.runs as f64, runs as f64));
            }
            _ => {}
        }
    }
    bars::print(&bars)
}

/// No pg_dump comes with that server, and an older one refuses it: a scenario that would make an archive runs without one
/// or, if the archive itself is to be broken, not at all.
fn without_archives(part: &str, jobs: &mut Vec<Job>) {
    let (left_out, mut kept): (Vec<Job>, Vec<Job>) =
        jobs.drain(..).partition(|job| part == "grid" && job.trial.scenario.archives());
    println!("{part}: {} runs need a pg_dump of this server's version", left_out.len());
    left_out.iter().for_each(|job| println!("  cannot be: {}", job.name));
    for job in &mut kept {
        job.trial.scenario = job.trial.scenario.without_archive();
    }
    *jobs = kept;
}

fn print(part: &str, tally: &Tally) {
    println!("{part}: {} runs, {} faults struck, ends {:?}", tally.runs, tally.struck, tally.ends);
    println!("{part}: {} runs whose last fault found no such point", tally.missed.len());
    tally.missed.iter().filter(|_| part == "grid").for_each(|name| println!("  cannot be: {name}"));
    tally.violations.iter().for_each(|violation| println!("violation {violation}"));
}
