//! How long a folder takes: beside psql, and to be checked.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tenantry_harness::bars::Bar;
use tenantry_harness::{Cluster, Env, Folder};

use crate::psql;

/// A folder with files outside the transaction may take so much longer than psql.
const OF_PSQL: f64 = 1.3;
/// Seconds in which 500 files are checked.
const CHECK_S: f64 = 1.0;
const TABLES: usize = 150;

pub(crate) async fn measure(rounds: usize, bars: &mut Vec<Bar>) {
    let env = &Env::on(Cluster::durable()).await;
    let mut folder = Folder::new(&env.dir, "speed", "1.0");
    let mut texts = Vec::new();
    for number in 0..TABLES {
        let table = format!(
            "create table t{number} (id bigint generated always as identity primary key, name text not null, at timestamptz not null default now());"
        );
        let index = format!("create index concurrently t{number}_name on t{number} (name);");
        folder = folder.migration(&format!("t{number}"), &table).outside(&format!("i{number}"), &index);
        texts.extend([table, index]);
    }
    env.add_blueprint(folder.path()).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let database = format!("speed_{round}");
        env.cluster.execute("postgres", format!("create database {database}")).await;
        let begin = Instant::now();
        psql(env, &database, &texts.join("\n")).unwrap();
        theirs.push(begin.elapsed());
        let begin = Instant::now();
        env.provision_of(&format!("speed-{round}"), "speed").await;
        ours.push(begin.elapsed());
        env.cluster.execute("postgres", format!("drop database {database}")).await;
    }
    println!(
        "a folder with {TABLES} files outside: ours {:?}, psql in one process {:?}",
        median(&mut ours),
        median(&mut theirs)
    );
    bars.push(Bar::at_most(
        "outside_of_psql",
        median(&mut ours).as_secs_f64() / median(&mut theirs).as_secs_f64(),
        OF_PSQL,
    ));

    let mut folder = Folder::new(&env.dir, "many", "1.0");
    for number in 0..500 {
        let mut sql = String::new();
        for column in 0..3 {
            write!(sql, "create table t{number}_{column} (id int primary key, name text);\ncreate index on t{number}_{column} (name);\n").unwrap();
        }
        folder = folder.migration(&format!("t{number}"), &sql);
    }
    let mut checks = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        env.tenantry(&["blueprint", "check", folder.path()]).await.assert_status(0);
        checks.push(begin.elapsed());
    }
    bars.push(Bar::at_most("check_of_500_files_s", median(&mut checks).as_secs_f64(), CHECK_S));
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
