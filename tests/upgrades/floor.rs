//! The least that PostgreSQL needs: the same two statements and a row of history for each tenant, one commit each, in as many
//! sessions as the daemon has.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::AssertSqlSafe;
use tenantry_harness::Env;

/// Changes a table of each placement, and returns the time that it took.
pub(crate) async fn run(env: &Env, placements: &[String], round: usize, sessions: usize) -> Duration {
    let left: Mutex<VecDeque<&String>> = Mutex::new(placements.iter().collect());
    let mut connections = Vec::new();
    for _ in 0..sessions {
        connections.push(env.cluster.superuser(&env.target_db).await);
    }
    let begin = Instant::now();
    let work = connections.into_iter().map(async |mut connection| {
        loop {
            let Some(placement) = left.lock().unwrap().pop_front() else { return };
            let sql = format!(
                "begin; set local search_path = {placement}; alter table tasks add column floor_{round} text;
                 create index tasks_floor_{round} on tasks (floor_{round});
                 insert into public.floor_history (tenant, version, name) values ('{placement}', {round}, 'fleet'); commit"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    });
    join_all(work).await;
    begin.elapsed()
}

pub(crate) async fn prepare(env: &Env) {
    let sql = "create table public.floor_history (tenant text, version int, name text, at timestamptz default now(),
               primary key (tenant, version))";
    env.cluster.execute(&env.target_db, sql.to_owned()).await;
}
