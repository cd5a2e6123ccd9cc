//! Operations that cannot end as they should: what is left to the operator, and that the next step they name works.

use sqlx::{Connection as _, PgConnection};
use tenantry_harness::{Cluster, Env, Provisioned, eventually};

/// Short limits, so that the wait for a lock that is never granted is short too.
const IMPATIENT: &str = "[limits]\noperation_budget_ms = 2000\nlock_timeout_ms = 200\n";

/// An administrator's session that holds a lock on a tenant's table until it is closed.
async fn hold_a_table(env: &Env, made: &Provisioned) -> PgConnection {
    let mut session = env.target().await;
    let hold = format!("begin; lock table {}.users in access share mode", made.tenant.placement);
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut session).await.unwrap();
    session
}

#[tokio::test]
async fn a_rollback_that_cannot_finish_says_what_is_left_and_the_command_it_names_works() {
    let env = Env::with_config(Cluster::shared(), IMPATIENT).await;
    let made = env.provision("acme").await;
    let holder = hold_a_table(&env, &made).await;
    let rollback = ["tenant", "rollback", "acme", "--confirm", "acme", "--discard-data", "--json"];
    let output = env.tenantry(&rollback).await.assert_status(6);
    output.assert_says(&["its data and roles; its logins are closed"]);
    let state = serde_json::to_value(env.tenant("acme").await.tenant.state).unwrap();
    assert_eq!(state["name"], "needs_attention", "{state}");
    env.psql(&made.credentials, "select 1").await.assert_says(&["not permitted to log in"]);

    holder.close().await.unwrap();
    let next = state["next_command"].as_str().expect("the next command");
    let mut words = next.split_whitespace();
    assert_eq!(words.next(), Some("tenantry"), "{next}");
    env.tenantry(&words.collect::<Vec<_>>()).await.assert_status(0);
    env.assert_clean_slate(&made.tenant.placement).await;
}

/// Rolls `acme` back until the removal waits for a table, kills the daemon, and returns the operation's id.
async fn leave_a_rollback(env: &mut Env, made: &Provisioned) -> String {
    let holder = hold_a_table(env, made).await;
    let rollback =
        ["tenant", "rollback", "acme", "--confirm", "acme", "--discard-data", "--no-wait", "--json"];
    let started = env.tenantry(&rollback).await.assert_status(0).json();
    wait_for_the_lock(env).await;
    env.take_daemon().kill().await;
    holder.close().await.unwrap();
    started["operation"]["id"].as_str().expect("an operation").to_owned()
}

#[tokio::test]
async fn what_is_being_dropped_cannot_be_cancelled() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let holder = hold_a_table(&env, &made).await;
    let rollback =
        ["tenant", "rollback", "acme", "--confirm", "acme", "--discard-data", "--no-wait", "--json"];
    let started = env.tenantry(&rollback).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().expect("an operation");
    wait_for_the_lock(&env).await;
    let refused = env.tenantry(&["operation", "cancel", id]).await.assert_status(5);
    refused.assert_says(&["the rollback of acme is past the point of return"]);
    holder.close().await.unwrap();
    assert_gone(&env, id, &made).await;
    let refused = env.tenantry(&["operation", "cancel", id]).await.assert_status(5);
    refused.assert_says(&["has already ended", "succeeded"]);
}

async fn wait_for_the_lock(env: &Env) {
    let waits = "select exists (select from pg_locks where not granted and database =
                 (select oid from pg_database where datname = current_database()))";
    let watcher = tokio::sync::Mutex::new(env.target().await);
    eventually("the removal waits for the table", async || {
        let mut connection = watcher.lock().await;
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *connection).await.unwrap().then_some(())
    })
    .await;
}

async fn assert_gone(env: &Env, id: &str, made: &Provisioned) {
    env.wait_for_operation(id, "succeeded").await;
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "rolled_back");
    env.assert_clean_slate(&made.tenant.placement).await;
}

#[tokio::test]
async fn a_rollback_that_a_killed_daemon_left_is_finished_by_the_next() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    let id = leave_a_rollback(&mut env, &made).await;
    env.start_daemon().await;
    assert_gone(&env, &id, &made).await;
}

#[tokio::test]
async fn what_was_left_on_a_target_that_is_not_configured_waits_until_it_is() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    let id = leave_a_rollback(&mut env, &made).await;
    env.write_config("", &[("elsewhere", env.target_url())]);
    env.start_daemon().await;
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "rolling_back");
    let ended = env.take_daemon().stop().await;
    assert!(ended.log.contains("waits for a target") && ended.log.contains(&id), "{}", ended.log);
    env.write_config("", &[("local", env.target_url())]);
    env.start_daemon().await;
    assert_gone(&env, &id, &made).await;
}

/// Leaves the target as if it had been restored to a time before the tenant: with no trace of it.
async fn forget(env: &Env, made: &Provisioned) {
    let placement = &made.tenant.placement;
    let mut target = env.target().await;
    let sql = format!(
        "delete from tenantry.placement where placement = '{placement}';
         delete from tenantry.migration_history where placement = '{placement}';
         drop schema {placement} cascade;
         drop owned by {placement}, {placement}_app, {placement}_a, {placement}_b, {placement}_probe;
         drop role {placement}, {placement}_app, {placement}_a, {placement}_b, {placement}_probe"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut target).await.unwrap();
    target.close().await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_its_target_has_forgotten_ends_each_operation_at_once_and_can_be_rolled_back() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    forget(&env, &made).await;
    // Each takes less time than an undo is retried when its failure may pass.
    let verified = env.tenantry(&["tenant", "verify", "acme", "--json"]).await.assert_status(6);
    verified.assert_says(&["has no marker", "restored", "--discard-data", "the login of the probe"]);
    // The tenant itself is unchanged, and answers.
    let issued = env.tenantry(&["tenant", "credentials", "acme", "issue"]).await.assert_status(5);
    issued.assert_says(&["has no marker"]);
    let suspended = env.tenantry(&["tenant", "suspend", "acme", "--json"]).await.assert_status(6);
    suspended.assert_says(&["has no marker", "its logins, which may be closed"]);
    let rollback = ["tenant", "rollback", "acme", "--confirm", "acme", "--discard-data", "--json"];
    env.tenantry(&rollback).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "rolled_back");
}

#[tokio::test]
async fn a_tenant_that_could_read_another_never_becomes_active() {
    let env = Env::new().await;
    env.provision("globex").await;
    let mut target = env.target().await;
    let canary = "select placement from tenantry.placement where kind = 'canary'";
    let canary: String = sqlx::query_scalar(canary).fetch_one(&mut target).await.unwrap();
    let open = format!(
        "grant usage on schema {canary} to public; grant select on all tables in schema {canary} to public"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(open)).execute(&mut target).await.unwrap();

    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "projects@1.0"]).await;
    output.assert_status(1).assert_says(&["probe read", "the attack succeeded", "tenantry target check"]);
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "rolled_back");
    env.assert_clean_slate(&detail.tenant.placement).await;
}
