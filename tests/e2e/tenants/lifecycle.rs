//! A tenant's life between its beginning and its end: suspended, resumed, changed, its secrets rotated, retired.

use serde_json::Value;
use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, Output, Provisioned, eventually};
use tenantry_protocol::operation::StepStatus;
use tenantry_protocol::tenant::Credentials;

async fn logs_in(env: &Env, login: &Credentials) -> bool {
    env.psql(login, "select 1").await.status == 0
}

fn credentials(output: &Output) -> Credentials {
    serde_json::from_value(output.json()["credentials"].clone()).expect("credentials")
}

fn operation_id(output: &Output) -> String {
    output.json()["operation"]["id"].as_str().expect("an operation").to_owned()
}

async fn connection_limits(env: &Env, made: &Provisioned) -> Vec<i32> {
    let mut target = env.target().await;
    let limits = sqlx::query_scalar(
        "select rolconnlimit from pg_roles where rolname in ($1 || '_a', $1 || '_b') order by rolname",
    )
    .bind(made.tenant.placement.as_str())
    .fetch_all(&mut target)
    .await
    .unwrap();
    target.close().await.unwrap();
    limits
}

/// A session of the tenant's application.
async fn session(env: &Env, login: &Credentials) -> sqlx::PgConnection {
    let options = env.cluster.options(&login.database).username(&login.role);
    sqlx::PgConnection::connect_with(&options.password(login.password.as_deref().unwrap())).await.unwrap()
}

#[tokio::test]
async fn a_suspended_tenant_has_no_sessions_and_no_logins_until_it_is_resumed_with_the_same_secret() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let mut open = session(&env, &made.credentials).await;
    let suspended = env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    assert!(suspended.stdout.contains("tenantry tenant resume acme"), "{suspended}");
    assert!(sqlx::query("select 1").execute(&mut open).await.is_err(), "its session is ended");
    env.psql(&made.credentials, "select 1").await.assert_says(&["not permitted to log in"]);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "suspended");
    let again = env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(5);
    again.assert_says(&["closed already"]);
    env.tenantry(&["tenant", "credentials", "acme", "issue"]).await.assert_status(5);

    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    assert!(logs_in(&env, &made.credentials).await);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn a_rotation_leaves_both_logins_until_it_is_finished() {
    let mut env = Env::new().await;
    let old = env.provision("acme").await.credentials;
    env.tenantry(&["tenant", "credentials", "acme", "finish"])
        .await
        .assert_status(5)
        .assert_says(&["rotate"]);
    let rotated = env.tenantry(&["tenant", "credentials", "acme", "rotate", "--json"]).await.assert_status(0);
    let new = credentials(&rotated);
    assert_ne!(old.role, new.role);
    assert!(logs_in(&env, &old).await && logs_in(&env, &new).await);
    let again = env.tenantry(&["tenant", "credentials", "acme", "rotate"]).await.assert_status(5);
    again.assert_says(&["being rotated already", "finish"]);

    // A daemon that dies in between forgets nothing.
    env.take_daemon().kill().await;
    env.start_daemon().await;
    let mut open = session(&env, &old).await;
    let finish = ["tenant", "credentials", "acme", "finish", "--json", "--idempotency-key", "f1"];
    let finished = env.tenantry(&finish).await.assert_status(0).json();
    assert_eq!(
        (&finished["rotation"]["closed"], &finished["rotation"]["sessions_ended"]),
        (&old.role.clone().into(), &1.into())
    );
    assert!(sqlx::query("select 1").execute(&mut open).await.is_err(), "the old login's session is ended");
    assert!(!logs_in(&env, &old).await && logs_in(&env, &new).await);
    env.tenantry(&finish).await.assert_status(0);
}

#[tokio::test]
async fn an_update_is_seen_on_the_roles_and_refused_beyond_the_blueprints_bounds() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let update = [
        "tenant",
        "update",
        "acme",
        "--set",
        "connection_limit=7",
        "--label",
        "plan=gold",
        "--name",
        "Acme 2",
    ];
    env.tenantry(&update).await.assert_status(0);
    assert_eq!(connection_limits(&env, &made).await, [7, 7]);
    let tenant = env.tenant("acme").await.tenant;
    assert_eq!((tenant.display_name.as_str(), tenant.settings["connection_limit"]), ("Acme 2", 7));
    assert_eq!(tenant.labels["plan"], "gold");
    for (wrong, says) in [("connection_limit=100000", "connection_limit"), ("no_such=1", "no_such")] {
        let refused = env.tenantry(&["tenant", "update", "acme", "--set", wrong]).await;
        refused.assert_status(2).assert_says(&[says]);
    }
    env.tenantry(&["tenant", "update", "acme", "--unlabel", "plan"]).await.assert_status(0);
    assert!(env.tenant("acme").await.tenant.labels.is_empty());
    assert_eq!(connection_limits(&env, &made).await, [7, 7], "what is not named stays");
}

#[tokio::test]
async fn an_update_that_fails_leaves_everything_as_it_was() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    // Short limits, so that the wait for a lock that is never granted is short too.
    env.restart_with("[limits]\noperation_budget_ms = 1500\nlock_timeout_ms = 200\n").await;
    let before = connection_limits(&env, &made).await;
    // An administrator locks the tenant's marker; the undo succeeds once that lock is released.
    let mut holder = env.target().await;
    sqlx::raw_sql("begin; select from tenantry.placement where kind = 'tenant' for update")
        .execute(&mut holder)
        .await
        .unwrap();
    let started = env
        .tenantry(&["tenant", "update", "acme", "--set", "connection_limit=6", "--no-wait", "--json"])
        .await;
    let id = operation_id(&started.assert_status(0));
    env.wait_for_operation(&id, "unwinding").await;
    holder.close().await.unwrap();
    env.wait_for_operation(&id, "rolled_back").await;
    let tenant = env.tenant("acme").await.tenant;
    assert_eq!((tenant.state.name(), tenant.settings["connection_limit"]), ("active", 20));
    assert_eq!(connection_limits(&env, &made).await, before);
    env.restart_with("").await;
    env.tenantry(&["operation", "retry", &id]).await.assert_status(0);
    assert_eq!(connection_limits(&env, &made).await, [6, 6]);
}

#[tokio::test]
async fn a_key_leads_to_the_same_operation_whatever_became_of_the_tenant_since() {
    let env = Env::new().await;
    env.provision("acme").await;
    let changes: [&[&str]; 4] = [
        &["tenant", "suspend", "acme"],
        &["tenant", "resume", "acme"],
        &["tenant", "update", "acme", "--name", "Acme 2"],
        &["tenant", "retire", "acme", "--confirm", "acme"],
    ];
    let mut done = Vec::new();
    for change in changes {
        let keyed = [change, &["--idempotency-key", "once", "--json"]].concat();
        let first = env.tenantry(&keyed).await.assert_status(0);
        done.push((keyed, operation_id(&first)));
    }
    for (keyed, id) in done {
        let again = env.tenantry(&keyed).await.assert_status(0);
        assert_eq!(operation_id(&again), id, "{keyed:?}");
    }
    let other = ["tenant", "update", "acme", "--name", "Acme 3", "--idempotency-key", "once"];
    env.tenantry(&other).await.assert_status(5).assert_says(&["another request"]);
}

#[tokio::test]
async fn a_retired_tenant_can_be_taken_back_within_its_grace() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    let wrong = env.tenantry(&["tenant", "retire", "acme", "--confirm", "acne"]).await;
    wrong.assert_status(2).assert_says(&["nothing was done"]);
    let retired =
        env.tenantry(&["tenant", "retire", "acme", "--confirm", "acme", "--grace", "30d", "--json"]).await;
    let retired = retired.assert_status(0).json();
    assert!(retired["tenant"]["state"]["purge_after"].is_string(), "{retired}");
    assert!(!logs_in(&env, &made.credentials).await);
    env.take_daemon().stop().await;
    env.start_daemon().await;
    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    assert!(logs_in(&env, &made.credentials).await);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn a_grace_that_ends_while_no_daemon_runs_ends_all_the_same() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    env.tenantry(&["tenant", "retire", "acme", "--confirm", "acme", "--grace", "1s"]).await.assert_status(0);
    env.take_daemon().kill().await;
    env.start_daemon().await;
    eventually("the purge is done", async || {
        (env.tenant("acme").await.tenant.state.name() == "retired").then_some(())
    })
    .await;
    env.assert_clean_slate(&made.tenant.placement).await;
    let operations = env.tenant("acme").await.operations;
    assert_eq!((operations[0].kind.name(), operations[0].actor.as_str()), ("purge", "tenantryd"));
    env.provision("acme").await;
}

#[tokio::test]
async fn without_a_grace_a_retired_tenant_goes_at_once() {
    let env = Env::with_config(Cluster::shared(), "[limits]\nretire_grace_s = 0\n").await;
    let made = env.provision("acme").await;
    env.tenantry(&["tenant", "retire", "acme", "--confirm", "acme", "--discard-data"]).await.assert_status(0);
    eventually("the purge is done", async || {
        (env.tenant("acme").await.tenant.state.name() == "retired").then_some(())
    })
    .await;
    env.assert_clean_slate(&made.tenant.placement).await;
    assert!(env.tenant("acme").await.archives.is_empty());
}

/// Starts a provision that waits in its migration; returns the operation's id once it waits there.
async fn slow_provision(env: &Env) -> String {
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("first", "create table first (id bigint primary key);")
        .migration("wait", "select pg_sleep(600);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let id = operation_id(&env.tenantry(&create).await.assert_status(0));
    eventually("it waits in its migration", async || {
        let steps = env.operation(&id).await.steps;
        steps.iter().any(|step| step.step == "migrations" && step.status == StepStatus::Running).then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn a_cancelled_provision_leaves_nothing_and_whoever_waited_is_told_by_whom() {
    let env = Env::new().await;
    let id = slow_provision(&env).await;
    let busy = env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(5);
    busy.assert_says(&["provisioning"]);
    let watch = ["operation", "watch", &id];
    let cancel = ["operation", "cancel", &id, "--json"];
    let (watched, cancelled) = tokio::join!(env.tenantry(&watch), env.tenantry(&cancel));
    let cancelled: Value = cancelled.assert_status(0).json();
    assert_eq!(cancelled["operation"]["state"]["name"], "rolled_back", "{cancelled}");
    watched.assert_status(1).assert_says(&["cancelled by", "nothing is left"]);
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "rolled_back");
    env.assert_clean_slate(&detail.tenant.placement).await;
    let late = env.tenantry(&["operation", "cancel", &id]).await.assert_status(5);
    late.assert_says(&["has already ended"]);
}

#[tokio::test]
async fn what_was_cancelled_in_the_queue_never_began() {
    let env = Env::with_config(Cluster::shared(), "[limits]\nmax_operations_per_target = 1\n").await;
    env.provision("globex").await;
    let running = slow_provision(&env).await;
    let queued = env.tenantry(&["tenant", "suspend", "globex", "--no-wait", "--json"]).await;
    let queued = operation_id(&queued.assert_status(0));
    let busy = env.tenantry(&["tenant", "update", "globex", "--name", "Globex 2"]).await.assert_status(5);
    busy.assert_says(&["another operation on globex", "operation list"]);
    let cancelled = env.tenantry(&["operation", "cancel", &queued]).await.assert_status(0);
    assert!(cancelled.stdout.contains("nothing had begun"), "{cancelled}");
    assert_eq!(env.tenant("globex").await.tenant.state.name(), "active");
    env.tenantry(&["operation", "cancel", &running]).await.assert_status(0);
    env.tenantry(&["operation", "retry", &queued]).await.assert_status(0);
    assert_eq!(env.tenant("globex").await.tenant.state.name(), "suspended");
}
