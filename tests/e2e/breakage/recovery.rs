//! A daemon dies in the middle of an operation: the next one takes it up.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, eventually, rpc};
use tenantry_protocol::operation::StepStatus;
use tenantry_protocol::watch::WatchRequest;

/// Starts a provision of `acme` that waits inside its migration, and returns the operation's id once it waits there.
async fn stuck_in_a_migration(env: &Env) -> String {
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("first", "create table first (id bigint primary key);")
        .migration("wait", "select pg_sleep(600);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let started: Value = env.tenantry(&create).await.assert_status(0).json();
    let mut target = env.target().await;
    let waits = "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')";
    let waits = tokio::sync::Mutex::new((&mut target, waits));
    eventually("the migration runs", async || {
        let (connection, query) = &mut *waits.lock().await;
        sqlx::query_scalar::<_, bool>(*query).fetch_one(&mut **connection).await.unwrap().then_some(())
    })
    .await;
    target.close().await.unwrap();
    started["operation"]["id"].as_str().expect("an operation").to_owned()
}

#[tokio::test]
async fn a_provision_that_a_killed_daemon_left_is_built_again_by_the_next() {
    let mut env = Env::new().await;
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("first", "create table first (id bigint primary key);")
        .migration("wait", "select pg_sleep(1.5);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let started: Value = env.tenantry(&create).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().expect("an operation").to_owned();
    eventually("its roles are made", async || {
        let steps = env.operation(&id).await.steps;
        steps.iter().any(|step| step.step == "migrations" && step.status == StepStatus::Running).then_some(())
    })
    .await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "active");
    env.rollback("acme").await;
    env.assert_clean_slate(&detail.tenant.placement).await;
}

#[tokio::test]
async fn a_provision_whose_time_ran_out_while_no_daemon_ran_is_undone() {
    let mut env = Env::with_config(Cluster::shared(), "[limits]\noperation_budget_ms = 4000\n").await;
    let id = stuck_in_a_migration(&env).await;
    let begin = Instant::now();
    let before = env.tenant("acme").await;
    env.take_daemon().kill().await;
    eventually("its time is over", async || (begin.elapsed() > Duration::from_secs(4)).then_some(())).await;
    env.start_daemon().await;
    let operation = env.wait_for_operation(&id, "rolled_back").await;
    let failure = operation.state.failure().expect("a failure");
    assert!(failure.message.contains("its time is over"), "{failure:?}");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "rolled_back");
    env.assert_clean_slate(&before.tenant.placement).await;
    // The name is free again.
    env.provision("acme").await;
}

#[tokio::test]
async fn a_tenant_that_was_active_when_the_daemon_was_killed_is_still_there() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.id, made.tenant.id);
    assert_eq!(detail.tenant.state.name(), "active");
    env.rollback("acme").await;
    env.assert_clean_slate(&made.tenant.placement).await;
}

#[tokio::test]
async fn a_daemon_that_stops_answers_what_it_was_asked() {
    let mut env = Env::new().await;
    let client = env.rpc().await;
    let waits = WatchRequest { wait_ms: 30_000, ..WatchRequest::default() };
    let asked = tokio::spawn(async move { client.watch(rpc::context(), waits).await });
    // Another connection's answer shows that the daemon is at work; the long poll was sent before it.
    env.tenantry(&["status"]).await.assert_status(0);
    let ended = env.take_daemon().terminate().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.log);
    let answer = asked.await.unwrap().expect("the connection lasts until the answer").expect("an answer");
    assert!(answer.events.is_empty());
}
