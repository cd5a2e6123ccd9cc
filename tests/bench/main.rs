//! How long a provision takes, compared with the least that PostgreSQL itself needs for the same tables.
//!
//! Contenders run interleaved, each once per round, on the same servers: ratios within a run hold where absolute times do
//! not. The floor is the migrations alone as one batch on an open superuser connection: no roles, no grants, no history, no
//! registry, no verification. Every median comes with its minimum and maximum.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it measured")]

mod blueprint;
mod report;
mod side;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use blueprint::Blueprint;
use report::{Bar, Series};
use side::Side;

#[derive(Debug, Parser)]
#[command(about = "Provisions through the daemon, beside the same SQL as one batch and by psql")]
struct Arguments {
    /// Rounds that are counted; one more warms up
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Tenants on the second server
    #[arg(long, default_value_t = 1_000)]
    tenants: usize,
    /// A blueprint's folder instead of the built-in one of 40 tables
    #[arg(long, value_name = "PATH")]
    blueprint: Option<PathBuf>,
    /// Where the result is written as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// From the request to active: at most this multiple of the floor with no tenant present.
const FLOOR_LIMIT: f64 = 1.6;
/// With all tenants present: at most this multiple of our own figure with none.
const GROWTH_LIMIT: f64 = 1.1;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(bars) => {
            bars.iter().for_each(Bar::print);
            if bars.iter().all(Bar::is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

async fn run(arguments: &Arguments) -> Result<Vec<Bar>> {
    let blueprint = match &arguments.blueprint {
        Some(path) => Blueprint::read(path)?,
        None => Blueprint::of_forty_tables(),
    };
    println!("blueprint {}: {} files, {} tables", blueprint.name, blueprint.files.len(), blueprint.tables());
    let mut empty = Side::start("empty", &blueprint).await?;
    let mut full = Side::start("full", &blueprint).await?;
    full.fill(arguments.tenants).await?;

    let mut series = Series::default();
    for round in 0..=arguments.rounds {
        for side in [&mut empty, &mut full] {
            let provision = side.provision().await?;
            let batch = side.batch(&blueprint).await?;
            let whole = side.batch_with_roles(&blueprint).await?;
            let psql = side.psql(&blueprint).await?;
            if round > 0 {
                series.add(side.name(), "provision", provision.whole);
                for step in &provision.steps {
                    series.add_step(side.name(), &step.step, step.duration_ms.unwrap_or_default());
                }
                series.add(side.name(), "batch", batch);
                series.add(side.name(), "batch with roles and grants", whole);
                series.add(side.name(), "psql", psql);
            }
        }
    }
    empty.stop().await?;
    full.stop().await?;

    series.print();
    let ratio = |a: (&str, &str), b: (&str, &str)| series.median(a.0, a.1) / series.median(b.0, b.1);
    let bars = vec![
        Bar::at_most(
            "provision_vs_floor_at_0",
            ratio(("empty", "provision"), ("empty", "batch")),
            FLOOR_LIMIT,
        ),
        Bar::at_most(
            &format!("provision_at_{}_vs_at_0", arguments.tenants),
            ratio(("full", "provision"), ("empty", "provision")),
            GROWTH_LIMIT,
        ),
    ];
    if let Some(path) = &arguments.json {
        std::fs::write(path, report::json(&series, &bars)?)?;
    }
    Ok(bars)
}

/// In milliseconds.
fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
