//! A daemon dies in the middle of a change of secrets: the change still has its end in the trail, nobody has a login that
//! is not on record, and a client that asks again gets a secret that works.

use sqlx::{Connection as _, PgConnection};
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Output, Provisioned, eventually};
use tenantry_protocol::audit::AuditRequest;
use tenantry_protocol::tenant::Credentials;

const HOLD_MARKER: &str = "begin; select from tenantry.placement where kind = 'tenant' for update";
const HOLD_TRAIL: &str = "begin; select from control.audit_head for update";

/// An administrator's session that holds what the daemon needs next, until it is closed.
async fn hold(mut session: PgConnection, what: &'static str) -> PgConnection {
    sqlx::raw_sql(what).execute(&mut session).await.unwrap();
    session
}

/// Waits until the daemon waits for what `holder` holds.
async fn wait_for_waiter(env: &Env, holder: &mut PgConnection) {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(holder).await.unwrap();
    let looker = tokio::sync::Mutex::new(env.target().await);
    eventually("the daemon waits", async || {
        let waits = "select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))";
        let mut looker = looker.lock().await;
        sqlx::query_scalar::<_, bool>(waits).bind(pid).fetch_one(&mut *looker).await.unwrap().then_some(())
    })
    .await;
}

/// Requests `action`, kills the daemon just before or just after its effect, and starts the next one.
async fn kill_during(env: &mut Env, action: &str, is_past_effect: bool) {
    let mut marker = hold(env.target().await, HOLD_MARKER).await;
    let ask = ["tenant", "credentials", "acme", action, "--json"];
    let asking = async {
        // The client gets no answer.
        let output = env.tenantry(&ask).await;
        assert_ne!(output.status, 0, "{output}");
    };
    let mut trail = None;
    let killing = async {
        wait_for_waiter(env, &mut marker).await;
        if is_past_effect {
            let mut held = hold(env.control().await, HOLD_TRAIL).await;
            marker.close().await.unwrap();
            wait_for_waiter(env, &mut held).await;
            trail = Some(held);
        }
        env.daemon().signal(nix::sys::signal::Signal::SIGKILL);
    };
    tokio::join!(asking, killing);
    env.take_daemon().kill().await;
    // The locks of the killed daemon end with its connections.
    drop(trail);
    env.start_daemon().await;
}

/// Waits until the newest change of that kind has its end in the trail, and returns its operation's failure message.
async fn wait_for_end(env: &Env, action: &str, outcome: &str) -> String {
    let id = eventually("the trail has its end", async || {
        let request = AuditRequest { limit: Some(500), ..AuditRequest::default() };
        let events = env.rpc().await.audit(context(), request).await.unwrap().unwrap().events;
        // Newest first.
        let intent = events.iter().find(|event| event.action == format!("{action}.intent"))?;
        let ends: Vec<_> = events
            .iter()
            .filter(|event| event.outcome.is_some() && event.operation_id == intent.operation_id)
            .map(|event| (event.action.as_str(), event.outcome.as_deref().unwrap_or_default()))
            .collect();
        (ends == [(action, outcome)]).then(|| intent.operation_id.clone())
    })
    .await;
    let operation = env.operation(&id.expect("an operation").to_string()).await;
    operation.state.failure().map(|failure| failure.message.clone()).unwrap_or_default()
}

async fn can_log_in(env: &Env, made: &Provisioned) -> Vec<bool> {
    let mut target = env.target().await;
    let sql = "select rolcanlogin from pg_roles where rolname in ($1 || '_a', $1 || '_b') order by rolname";
    let placement = made.tenant.placement.as_str();
    sqlx::query_scalar(sql).bind(placement).fetch_all(&mut target).await.unwrap()
}

fn credentials(output: &Output) -> Credentials {
    serde_json::from_value(output.json()["credentials"].clone()).expect("credentials")
}

#[tokio::test]
async fn a_secret_whose_daemon_died_before_it_was_set_ends_as_interrupted_and_is_asked_for_again() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    kill_during(&mut env, "issue", false).await;
    let detail = wait_for_end(&env, "credentials.issue", "failed").await;
    assert!(detail.contains("interrupted: the secret was never returned"), "{detail}");
    env.psql(&made.credentials, "select 1").await.assert_status(0);
    let again = env.tenantry(&["tenant", "credentials", "acme", "issue", "--json"]).await.assert_status(0);
    env.psql(&credentials(&again), "select 1").await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn a_rotation_whose_daemon_died_before_its_outcome_leaves_no_login_that_nobody_has() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    kill_during(&mut env, "rotate", true).await;
    let detail = wait_for_end(&env, "credentials.rotate", "failed").await;
    assert!(detail.contains("tenantry tenant credentials acme rotate"), "{detail}");
    assert_eq!(can_log_in(&env, &made).await, [true, false]);
    env.psql(&made.credentials, "select 1").await.assert_status(0);
    let again = env.tenantry(&["tenant", "credentials", "acme", "rotate", "--json"]).await.assert_status(0);
    env.psql(&credentials(&again), "select 1").await.assert_status(0);
}

#[tokio::test]
async fn a_rotation_that_a_killed_daemon_was_finishing_is_finished_by_the_next() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    env.tenantry(&["tenant", "credentials", "acme", "rotate"]).await.assert_status(0);
    for is_past_effect in [false, true] {
        kill_during(&mut env, "finish", is_past_effect).await;
        wait_for_end(&env, "credentials.finish", "ok").await;
        assert_eq!(can_log_in(&env, &made).await, [false, true]);
        let issued = env.tenant("acme").await.tenant.credentials.expect("credentials");
        assert!(issued.role.ends_with("_b") && issued.previous_role.is_none(), "{issued:?}");
        if !is_past_effect {
            // Goes back to the first login, so that the second round starts like the first.
            env.tenantry(&["tenant", "credentials", "acme", "rotate"]).await.assert_status(0);
            env.tenantry(&["tenant", "credentials", "acme", "finish"]).await.assert_status(0);
            env.tenantry(&["tenant", "credentials", "acme", "rotate"]).await.assert_status(0);
        }
    }
}

#[tokio::test]
async fn a_key_whose_change_came_to_nothing_says_so_and_is_not_used_again() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let marker = hold(env.target().await, HOLD_MARKER).await;
    let issue = ["tenant", "credentials", "acme", "issue", "--idempotency-key", "once"];
    // The marker's lock is never granted, so the operation runs out of time.
    env.restart_with("[limits]\noperation_budget_ms = 1000\nlock_timeout_ms = 200\n").await;
    let first = env.tenantry(&issue).await;
    assert_ne!(first.status, 0, "{first}");
    marker.close().await.unwrap();
    wait_for_end(&env, "credentials.issue", "failed").await;
    env.tenantry(&issue).await.assert_status(5).assert_says(&["rolled_back", "a new key"]);
    let other = ["tenant", "credentials", "acme", "issue", "--idempotency-key", "twice"];
    env.tenantry(&other).await.assert_status(0);
}
