//! Many operations at once on one target: all are served, and a daemon that dies meanwhile loses none.

use futures::future::join_all;
use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};
use tenantry_protocol::TenantryClient;
use tenantry_protocol::operation::{Operation, OperationState, OperationsRequest};
use tenantry_protocol::tenant::{ProvisionRequest, RollbackRequest};

/// The most calls that one connection may have in flight.
const A_CONNECTION: usize = 32;

async fn add_small_blueprint(env: &Env) {
    let folder = Folder::new(&env.dir, "small", "1.0")
        .migration(
            "notes",
            "create table note (id bigint generated always as identity primary key, body text);",
        )
        .migration(
            "tags",
            "create table tag (note bigint references note, name text, primary key (note, name));",
        );
    env.add_blueprint(folder.path()).await;
}

/// Requests that many tenants at once, and returns the operations.
async fn provision_many(env: &Env, count: usize) -> Vec<Operation> {
    let mut clients: Vec<TenantryClient> = Vec::new();
    for _ in 0..count.div_ceil(A_CONNECTION) {
        clients.push(env.rpc().await);
    }
    let asked = join_all((0..count).map(|number| {
        let request = ProvisionRequest {
            slug: format!("crowd-{number}"),
            blueprint: "small".into(),
            ..ProvisionRequest::default()
        };
        let client = &clients[number / A_CONNECTION];
        async move { client.provision(context(), request).await.unwrap().unwrap().operation }
    }));
    asked.await
}

async fn all_ended(env: &Env, count: usize) -> Vec<Operation> {
    eventually("all operations have ended", async || {
        let client = env.rpc().await;
        let request = OperationsRequest { limit: Some(500), ..OperationsRequest::default() };
        let operations = client.operations(context(), request).await.unwrap().unwrap().operations;
        let ended = operations.iter().filter(|operation| operation.state.is_final()).count();
        (ended == operations.len() && ended >= count).then_some(operations)
    })
    .await
}

fn assert_all_succeeded(operations: &[Operation]) {
    let failed: Vec<_> =
        operations.iter().filter(|operation| operation.state != OperationState::Succeeded).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn sixty_four_operations_asked_for_at_once_are_all_served() {
    let env = Env::new().await;
    add_small_blueprint(&env).await;
    provision_many(&env, 64).await;
    assert_all_succeeded(&all_ended(&env, 64).await);
    let clients = [env.rpc().await, env.rpc().await];
    join_all((0..64).map(|number| {
        let slug = format!("crowd-{number}");
        let request =
            RollbackRequest { confirm: slug.clone(), slug, discard_data: true, ..RollbackRequest::default() };
        let client = &clients[number / A_CONNECTION];
        async move { client.rollback(context(), request).await.unwrap().unwrap() }
    }))
    .await;
    assert_all_succeeded(&all_ended(&env, 128).await);
    assert_eq!(placements(&env).await, 0);
}

#[tokio::test]
async fn a_daemon_killed_among_many_provisions_leaves_each_to_the_next_which_finishes_it() {
    let mut env = Env::new().await;
    add_small_blueprint(&env).await;
    provision_many(&env, 32).await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    assert_all_succeeded(&all_ended(&env, 32).await);
    assert_eq!(placements(&env).await, 32);
}

#[tokio::test]
async fn a_daemon_told_to_stop_finishes_what_is_in_flight() {
    let mut env = Env::new().await;
    add_small_blueprint(&env).await;
    provision_many(&env, 16).await;
    let ended = env.take_daemon().terminate().await;
    assert!(ended.status.success(), "{}", ended.log);
    // The daemon that was stopping ended them, so the next one finds nothing to take up.
    env.start_daemon().await;
    assert_all_succeeded(&all_ended(&env, 16).await);
    assert!(!env.daemon().log().contains("taking up an unfinished operation"), "{}", env.daemon().log());
}

#[tokio::test]
async fn provisions_outlast_a_server_that_crashes_under_them() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    add_small_blueprint(&env).await;
    provision_many(&env, 16).await;
    env.cluster.crash();
    env.cluster.restart();
    assert_all_succeeded(&all_ended(&env, 16).await);
    assert_eq!(placements(&env).await, 16);
}

/// How many tenants' schemas exist on the target, each with its two tables.
async fn placements(env: &Env) -> i64 {
    let mut target = env.target().await;
    let sql = "select count(*) from tenantry.placement p join pg_namespace n on n.nspname = p.placement
               where p.kind = 'tenant'
                 and (select count(*) from pg_class c where c.relnamespace = n.oid and c.relkind = 'r') = 2";
    sqlx::query_scalar(sql).fetch_one(&mut target).await.unwrap()
}
