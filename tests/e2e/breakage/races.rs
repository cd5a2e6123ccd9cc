//! Two requests at once: the same key gives one operation, and what a rollback closed stays closed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tenantry_harness::Env;
use tenantry_harness::rpc::context;
use tenantry_protocol::session::HealthRequest;
use tenantry_protocol::tenant::{
    IssueCredentialsRequest, OperationStarted, ProvisionRequest, RollbackRequest,
};
use tokio::net::UnixListener;

const AT_ONCE: usize = 12;

/// All requests were answered with the same operation, which one of them started.
fn assert_one_operation(answers: &[OperationStarted]) -> String {
    let id = answers[0].operation.id;
    assert!(answers.iter().all(|answer| answer.operation.id == id), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    id.to_string()
}

#[tokio::test]
async fn one_key_sent_many_times_at_once_is_one_operation() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let provision = ProvisionRequest {
        slug: "acme".into(),
        blueprint: "projects".into(),
        version: Some("1.0".into()),
        idempotency_key: Some("k1".into()),
        ..ProvisionRequest::default()
    };
    let calls = (0..AT_ONCE).map(|_| client.provision(context(), provision.clone()));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    env.wait_for_operation(&assert_one_operation(&answers), "succeeded").await;

    let rollback = RollbackRequest {
        slug: "acme".into(),
        confirm: "acme".into(),
        discard_data: true,
        idempotency_key: Some("k2".into()),
    };
    let calls = (0..AT_ONCE).map(|_| client.rollback(context(), rollback.clone()));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    env.wait_for_operation(&assert_one_operation(&answers), "succeeded").await;
}

#[tokio::test]
async fn one_key_sent_many_times_at_once_gives_one_secret_and_it_works() {
    let env = Env::new().await;
    env.provision("acme").await;
    let client = env.rpc().await;
    let request = IssueCredentialsRequest { slug: "acme".into(), idempotency_key: Some("k1".into()) };
    let calls = (0..AT_ONCE).map(|_| client.issue_credentials(context(), request.clone()));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    let with_secret: Vec<_> = answers.iter().filter(|answer| answer.password.is_some()).collect();
    assert_eq!(with_secret.len(), 1, "the secret is given once");
    env.psql(with_secret[0], "select 1").await.assert_status(0);
}

#[tokio::test]
async fn secrets_asked_for_at_once_are_all_issued_and_the_last_one_works() {
    let env = Env::new().await;
    env.provision("acme").await;
    let client = env.rpc().await;
    let request = IssueCredentialsRequest { slug: "acme".into(), idempotency_key: None };
    let calls = (0..AT_ONCE).map(|_| client.issue_credentials(context(), request.clone()));
    let mut answers: Vec<_> =
        join_all(calls).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    answers.sort_by_key(|answer| answer.issued_at);
    env.psql(answers.last().unwrap(), "select 1").await.assert_status(0);
}

#[tokio::test]
async fn a_secret_asked_for_during_a_rollback_opens_nothing_again() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    // The state in which a rollback leaves it between its first step and its last.
    let mut target = env.target().await;
    let marker = "update tenantry.placement set state = 'removing' where placement = $1";
    sqlx::query(marker).bind(made.tenant.placement.as_str()).execute(&mut target).await.unwrap();
    let close = format!("alter role {}_a nologin", made.tenant.placement);
    sqlx::query(sqlx::AssertSqlSafe(close)).execute(&mut target).await.unwrap();
    let output = env.tenantry(&["tenant", "credentials", "acme", "issue", "--json"]).await;
    let error = output.assert_status(5).json();
    assert_eq!(error["error"]["code"], "precondition", "{error}");
    let login = "select rolcanlogin from pg_roles where rolname = $1 || '_a'";
    let open: bool =
        sqlx::query_scalar(login).bind(made.tenant.placement.as_str()).fetch_one(&mut target).await.unwrap();
    assert!(!open, "the login stays closed");
}

#[tokio::test]
async fn status_is_quick_while_others_wait_for_a_target_that_is_mute() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let mute: PathBuf = env.dir.join("m");
    std::fs::create_dir(&mute).unwrap();
    // Accepts connections and never answers.
    let _listener = UnixListener::bind(mute.join(".s.PGSQL.5432")).unwrap();
    let host = mute.to_str().unwrap().replace('/', "%2F");
    env.write_config(
        "",
        &[("local", env.target_url()), ("mute", format!("postgres://someone:pw@{host}/db"))],
    );
    env.start_daemon().await;
    let client = env.rpc().await;
    let plan = ProvisionRequest {
        slug: "acme".into(),
        blueprint: "projects".into(),
        version: Some("1.0".into()),
        target: Some("mute".into()),
        ..ProvisionRequest::default()
    };
    let begin = Instant::now();
    let plans = join_all((0..4).map(|_| client.plan(context(), plan.clone())));
    let quick = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begin = Instant::now();
            client.health(context(), HealthRequest {}).await.unwrap().unwrap();
            slowest = slowest.max(begin.elapsed());
        }
        slowest
    };
    let (plans, slowest) = tokio::join!(plans, quick);
    assert!(plans.into_iter().all(|plan| plan.unwrap().is_err()), "there is no plan for a mute target");
    assert!(slowest < Duration::from_secs(2), "health took {slowest:?}");
    // The plans wait together and not one after the other.
    assert!(begin.elapsed() < Duration::from_secs(15), "plans took {:?}", begin.elapsed());
}
