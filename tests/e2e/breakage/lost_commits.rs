//! The answer to a COMMIT in the control database is lost: the daemon finds out what was committed and goes on.

use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};
use tenantry_protocol::tenant::{ProvisionRequest, RollbackRequest};
use tenantry_protocol::watch::{EventBody, WatchRequest};

/// Commits wait for a standby if the server is told that it has one.
async fn prepare() -> Env {
    Env::on(Cluster::private(Version::Packaged)).await
}

async fn demand_a_standby(env: &Env, names: &str) {
    env.cluster.execute("postgres", format!("alter system set synchronous_standby_names = '{names}'")).await;
    env.cluster.execute("postgres", "select pg_reload_conf()".to_owned()).await;
}

/// Cuts the connection of the next commit when the commit has happened and its answer has not been sent.
async fn lose_the_next_commit(env: &Env) {
    lose_the_next_commit_of(env, &env.control_role).await;
}

async fn lose_the_next_commit_of(env: &Env, role: &str) {
    let mut control = env.control().await;
    eventually("a commit waits for its answer", async || {
        let cut: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep' and usename = $1",
        )
        .bind(role)
        .fetch_one(&mut control)
        .await
        .unwrap();
        (cut > 0).then_some(())
    })
    .await;
    demand_a_standby(env, "").await;
}

#[tokio::test]
async fn a_lost_answer_to_an_intent_leaves_no_operation_that_nobody_runs() {
    let env = prepare().await;
    let client = env.rpc().await;
    demand_a_standby(&env, "nobody").await;
    let request = ProvisionRequest {
        slug: "acme".into(),
        blueprint: "projects".into(),
        version: Some("1.0".into()),
        ..ProvisionRequest::default()
    };
    let (started, ()) = tokio::join!(client.provision(context(), request), lose_the_next_commit(&env));
    let started = started.unwrap().unwrap();
    env.wait_for_operation(&started.operation.id.to_string(), "succeeded").await;

    demand_a_standby(&env, "nobody").await;
    let request = RollbackRequest {
        slug: "acme".into(),
        confirm: "acme".into(),
        discard_data: true,
        idempotency_key: None,
    };
    let (started, ()) = tokio::join!(client.rollback(context(), request), lose_the_next_commit(&env));
    let started = started.unwrap().unwrap();
    env.wait_for_operation(&started.operation.id.to_string(), "succeeded").await;
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "rolled_back");
}

#[tokio::test]
async fn a_lost_answer_to_an_outcome_is_told_to_whoever_watches() {
    let env = prepare().await;
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("slow", "create table one (id int primary key); select pg_sleep(2);");
    env.add_blueprint(folder.path()).await;
    let client = env.rpc().await;
    let request =
        ProvisionRequest { slug: "acme".into(), blueprint: "slow".into(), ..ProvisionRequest::default() };
    let mut cursor = client.watch(context(), WatchRequest::default()).await.unwrap().unwrap().cursor;
    let id = client.provision(context(), request).await.unwrap().unwrap().operation.id;
    demand_a_standby(&env, "nobody").await;
    lose_the_next_commit(&env).await;
    let told = eventually("the end is told", async || {
        let request = WatchRequest { cursor: Some(cursor), operation: Some(id.to_string()), wait_ms: 500 };
        let answer = client.watch(context(), request).await.unwrap().unwrap();
        cursor = answer.cursor;
        answer.events.into_iter().find_map(|event| match event.body {
            EventBody::Operation { operation } if operation.state.is_final() => Some(*operation),
            _ => None,
        })
    })
    .await;
    assert_eq!(told.state.name(), "succeeded");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn commits_are_durable_whatever_is_set_for_the_daemons_roles_and_databases() {
    let mut env = prepare().await;
    env.take_daemon().stop().await;
    for role in [&env.control_role, &env.provisioner] {
        env.cluster.execute("postgres", format!("alter role {role} set synchronous_commit = off")).await;
    }
    for database in [&env.control_db, &env.target_db] {
        env.cluster
            .execute("postgres", format!("alter database {database} set synchronous_commit = off"))
            .await;
    }
    env.start_daemon().await;
    // A commit that is not made durable would not wait for a standby either.
    demand_a_standby(&env, "nobody").await;
    lose_the_next_commit_of(&env, &env.control_role).await;
    let folder = Folder::new(&env.dir, "slow", "1.0").migration(
        "slow",
        "set synchronous_commit = off; create table one (id int primary key); select pg_sleep(2);",
    );
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow"];
    let (made, ()) = tokio::join!(env.tenantry(&create), async {
        eventually("the migration runs", async || {
            let operations = env.tenantry(&["operation", "list", "--json"]).await.stdout;
            operations.contains("provision").then_some(())
        })
        .await;
        demand_a_standby(&env, "nobody").await;
        lose_the_next_commit_of(&env, &env.provisioner).await;
    });
    made.assert_status(0);
}
