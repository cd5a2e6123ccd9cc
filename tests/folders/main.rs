//! Folders of migrations as they are: `make folders`. Each goes in with what `blueprint init` writes and has what its files make by
//! themselves, or is refused with the reason that is expected. Prints a line for each bar.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking, and this one prints its figures"
)]

mod fixtures;
mod real;
mod shape;
mod speed;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use sqlx::{ConnectOptions as _, Connection as _};
use tenantry_harness::bars::{self, Bar};
use tenantry_harness::{Cluster, Env, Version, binaries};

use fixtures::{CONVENTIONS, Expect, Fixture, REFUSED_BEFORE, REPORTS, SILENT};
use shape::shape;

#[derive(Debug, Parser)]
#[command(
    about = "Brings folders of migrations in as they are, and compares what their tenants have with what the files make"
)]
struct Arguments {
    /// Only the folders with this text in their name
    #[arg(long)]
    only: Option<String>,
    /// Try this folder instead, on both versions of PostgreSQL (repeatable)
    #[arg(long)]
    folder: Vec<PathBuf>,
    /// Leave out the figures of speed
    #[arg(long)]
    without_speed: bool,
    /// Rounds of the comparison with psql
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let is_met = runtime.block_on(prove(&arguments));
    runtime.shutdown_background();
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn prove(arguments: &Arguments) -> bool {
    let mut bars = Vec::new();
    if !arguments.folder.is_empty() {
        try_folders(&arguments.folder).await;
        return true;
    }
    for (version, title) in [(Version::Packaged, "packaged"), (Version::V18, "18")] {
        let env = Env::on(Cluster::private(version)).await;
        for (group, fixtures) in [
            ("conventions", CONVENTIONS),
            ("silent", SILENT),
            ("refused_before", REFUSED_BEFORE),
            ("reports", REPORTS),
        ] {
            let (mut right, mut all) = (0, 0);
            for fixture in fixtures {
                if arguments.only.as_ref().is_some_and(|only| !fixture.name.contains(only)) {
                    continue;
                }
                all += 1;
                match judge(&env, fixture).await {
                    Ok(told) => {
                        right += 1;
                        println!("{title:>9} {:<28} {told}", fixture.name);
                    }
                    Err(problem) => println!("{title:>9} {:<28} WRONG {problem}", fixture.name),
                }
            }
            if all > 0 {
                bars.push(Bar::at_least(
                    format!("{group}_as_expected_{title}"),
                    f64::from(right),
                    f64::from(all),
                ));
            }
        }
        if version == Version::Packaged && !arguments.without_speed && arguments.only.is_none() {
            speed::measure(arguments.rounds, &mut bars).await;
        }
    }
    bars::print(&bars)
}

async fn try_folders(folders: &[PathBuf]) {
    for (version, title) in [(Version::Packaged, "packaged"), (Version::V18, "18")] {
        let env = Env::on(Cluster::private(version)).await;
        for (number, folder) in folders.iter().enumerate() {
            println!("{title:>9} {}: {}", folder.display(), real::judge(&env, folder, number).await);
        }
    }
}

/// Whether the folder fares as it should, and what is worth telling of it.
async fn judge(env: &Env, fixture: &Fixture) -> Result<String, String> {
    let folder = write(env, fixture);
    let path = folder.to_str().unwrap();
    let named = format!("f-{}", fixture.name);
    let init = env.tenantry(&["blueprint", "init", path, "--name", &named]).await;
    if init.status != 0 {
        return Err(format!("init: {}", init.stderr.trim()));
    }
    let manifest = folder.join("blueprint.toml");
    let said = [std::fs::read_to_string(&manifest).unwrap(), fixture.said.to_owned()].concat();
    std::fs::write(&manifest, said).unwrap();
    let check = env.tenantry(&["blueprint", "check", path, "--on", "local"]).await;
    match (fixture.expect, check.status) {
        (Expect::Refused(code), 1) if check.stdout.contains(&format!("error[{code}]")) => {
            return Ok(format!("refused: {code}"));
        }
        (Expect::Same, 0) => {}
        _ => return Err(format!("check ended with {}:\n{}{}", check.status, check.stdout, check.stderr)),
    }
    env.add_blueprint(path).await;
    let mut shapes = Vec::new();
    for slug in ["one", "two"].map(|number| format!("{named}-{number}")) {
        let made = env.provision_of(&slug, &named).await;
        let own = made.tenant.placement.as_str();
        let database = if made.credentials.database == env.target_db { &env.target_db } else { own };
        let mut connection = env.cluster.options(database).connect().await.unwrap();
        shapes.push(shape(&mut connection, own, &[]).await);
        connection.close().await.unwrap();
    }
    let alone = by_themselves(env, fixture).await?;
    for (shape, which) in shapes.iter().zip(["first", "second"]) {
        let differs: Vec<String> = shape
            .difference(&alone)
            .map(|line| format!("+ {line}"))
            .chain(alone.difference(shape).map(|line| format!("- {line}")))
            .collect();
        if !differs.is_empty() {
            return Err(format!(
                "the {which} tenant differs from what the files make:\n{}",
                differs.join("\n")
            ));
        }
    }
    for slug in ["one", "two"].map(|number| format!("{named}-{number}")) {
        let verified = env.tenantry(&["tenant", "verify", &slug]).await;
        let drift = env.tenantry(&["tenant", "drift", &slug]).await;
        if verified.status != 0 || drift.status != 0 {
            return Err(format!(
                "verify {} drift {}: {}{}",
                verified.status, drift.status, verified.stdout, drift.stdout
            ));
        }
        let placement = env.tenant(&slug).await.tenant.placement;
        env.rollback(&slug).await;
        env.assert_clean_slate(&placement).await;
    }
    let notes = check.stdout.matches(": ok[").count();
    Ok(format!("the same, {} lines, {notes} notes", alone.len()))
}

fn write(env: &Env, fixture: &Fixture) -> PathBuf {
    let folder = env.dir.join(fixture.name);
    for (path, content) in fixture.files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

/// What the files make in a database of their own, run by psql as their tool would.
async fn by_themselves(env: &Env, fixture: &Fixture) -> Result<std::collections::BTreeSet<String>, String> {
    let database = format!("alone_{}", fixture.name.replace('-', "_"));
    env.cluster.execute("postgres", format!("create database {database}")).await;
    let texts: Vec<&str> = match fixture.runs {
        Some(texts) => texts.to_vec(),
        None => fixture
            .files
            .iter()
            .filter(|(path, _)| path.ends_with(".sql"))
            .map(|(_, content)| *content)
            .collect(),
    };
    for text in texts {
        psql(env, &database, text)?;
    }
    let mut connection = env.cluster.options(&database).connect().await.unwrap();
    let alone = shape(&mut connection, "public", fixture.schemas).await;
    connection.close().await.unwrap();
    env.cluster.execute("postgres", format!("drop database {database}")).await;
    Ok(alone)
}

fn psql(env: &Env, database: &str, text: &str) -> Result<(), String> {
    let file = env.dir.join("alone.sql");
    std::fs::write(&file, text).unwrap();
    let ran = Command::new(binaries::psql())
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file"])
        .arg(&file)
        .env("PGHOST", env.cluster.socket_dir())
        .env("PGPORT", "5432")
        .env("PGUSER", tenantry_harness::cluster::SUPERUSER)
        .env("PGDATABASE", database)
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .output()
        .unwrap();
    match ran.status.success() {
        true => Ok(()),
        false => Err(format!("psql: {}", String::from_utf8_lossy(&ran.stderr).trim())),
    }
}
