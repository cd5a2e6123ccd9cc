//! The control database is unreachable or another daemon has it, and what the daemon says meanwhile.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::{ConnectOptions as _, Connection as _};
use tenantry_harness::cli::{self, Output};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};

const CREATE: [&str; 5] = ["tenant", "create", "acme", "--blueprint", "projects@1.0"];

/// Hides the server from where the daemon looks for it, and ends its sessions there.
async fn hide_server(env: &Env) -> PathBuf {
    // A connection that is just being opened would outlive the end of all the others.
    let mut superuser = env.cluster.superuser("postgres").await;
    let kept =
        "select count(*) >= 5 from pg_stat_activity where application_name = 'tenantryd' and datname = $1";
    for database in [&env.target_db, &env.control_db] {
        eventually("the daemon's least connections are open", async || {
            let kept = sqlx::query_scalar(kept).bind(database).fetch_one(&mut superuser).await;
            kept.unwrap_or(false).then_some(())
        })
        .await;
    }
    superuser.close().await.unwrap();
    let (there, away) = (env.cluster.socket_dir(), env.cluster.socket_dir().with_extension("away"));
    std::fs::rename(&there, &away).unwrap();
    let mut superuser = env.cluster.options("postgres").socket(&away).connect().await.unwrap();
    // A connection that is just being opened has no name yet.
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
               where backend_type = 'client backend' and pid <> pg_backend_pid()";
    eventually("nobody is connected any more", async || {
        let ended: i64 = sqlx::query_scalar(end).fetch_one(&mut superuser).await.unwrap();
        (ended == 0).then_some(())
    })
    .await;
    superuser.close().await.unwrap();
    away
}

#[tokio::test]
async fn while_the_control_database_is_away_the_daemon_says_so_and_then_goes_on_by_itself() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let away = hide_server(&env).await;
    let refused = env.tenantry(&CREATE).await.assert_status(3);
    refused.assert_says(&["cannot be reached", "tenantry status"]);
    let status = env.tenantry(&["status", "--json"]).await.json();
    assert_eq!(status["health"]["control"]["reachable"], false, "{status}");
    assert!(status["health"]["control"]["problem"].is_string(), "{status}");
    assert_eq!(status["health"]["targets"][0]["reachable"], false, "{status}");

    std::fs::rename(&away, env.cluster.socket_dir()).unwrap();
    eventually("the daemon reaches it again", async || {
        let status = env.tenantry(&["status", "--json"]).await.json();
        (status["health"]["control"]["reachable"] == true).then_some(())
    })
    .await;
    env.provision("acme").await;
}

#[tokio::test]
async fn a_provision_outlasts_a_server_that_is_away_for_half_a_minute() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("one", "create table note (id int primary key); select pg_sleep(1);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--json"];
    // A client that waits for the operation keeps waiting, and is told its end.
    let (client, ()) = tokio::join!(env.tenantry(&create), async {
        let mut target = env.target().await;
        eventually("the migration runs", async || {
            let running = "select exists (select from pg_stat_activity where wait_event = 'PgSleep')";
            sqlx::query_scalar::<_, bool>(running).fetch_one(&mut target).await.unwrap().then_some(())
        })
        .await;
        env.cluster.crash();
        tokio::time::sleep(Duration::from_secs(30)).await;
        env.cluster.restart();
    });
    let made = client.assert_status(0).json();
    assert_eq!(made["tenant"]["state"]["name"], "active", "{made}");
    let duration = made["operation"]["duration_ms"].as_f64().expect("a duration");
    assert!((30_000.0..120_000.0).contains(&duration), "within its budget: {duration} ms");
}

/// A second daemon on the same control database, with a socket of its own.
async fn start_second(env: &Env) -> (Daemon, PathBuf) {
    let config = env.config_path();
    let socket = env.dir.join("second.sock");
    let arguments = ["--config", config.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    (Daemon::start(&arguments, &env.dir).await, socket)
}

async fn at(socket: &Path, env: &Env, arguments: &[&str]) -> Output {
    let mut all = vec!["--socket", socket.to_str().unwrap()];
    all.extend(arguments);
    cli::run(cli::tenantry_command(&all, &env.dir)).await
}

#[tokio::test]
async fn a_second_daemon_stands_by_and_takes_over_when_the_first_is_gone() {
    let mut env = Env::new().await;
    let (second, socket) = start_second(&env).await;
    let status = at(&socket, &env, &["status", "--json"]).await.assert_status(0).json();
    assert!(
        status["health"]["control"]["standing_by_for"].as_str().expect("a holder").contains("pid"),
        "{status}"
    );
    at(&socket, &env, &CREATE).await.assert_status(3).assert_says(&["stands by"]);
    // Both daemons answer reads, and the first one works on.
    let listed = at(&socket, &env, &["tenant", "list", "--all", "--json"]).await.assert_status(0).json();
    assert_eq!(listed["total"], 0, "{listed}");
    env.provision("acme").await;

    env.take_daemon().kill().await;
    eventually("the second takes over", async || {
        let status = at(&socket, &env, &["status", "--json"]).await.json();
        status["health"]["control"]["standing_by_for"].is_null().then_some(())
    })
    .await;
    at(&socket, &env, &["tenant", "create", "globex", "--blueprint", "projects@1.0"]).await.assert_status(0);
    assert!(second.stop().await.status.success());
}

#[tokio::test]
async fn a_daemon_that_was_stopped_past_its_lease_and_resumed_writes_nothing_any_more() {
    let mut env = Env::with_config(Cluster::shared(), "[limits]\nlease_ms = 500\n").await;
    let (second, socket) = start_second(&env).await;
    let first = env.take_daemon();
    first.signal(Signal::SIGSTOP);
    eventually("the second takes over", async || {
        let status = at(&socket, &env, &["status", "--json"]).await.json();
        status["health"]["control"]["standing_by_for"].is_null().then_some(())
    })
    .await;
    first.signal(Signal::SIGCONT);
    let old = first.socket().to_owned();
    at(&old, &env, &CREATE).await.assert_status(3);
    eventually("the first stands by", async || {
        let status = at(&old, &env, &["status", "--json"]).await.json();
        status["health"]["control"]["standing_by_for"].is_string().then_some(())
    })
    .await;
    at(&socket, &env, &CREATE).await.assert_status(0);
    assert!(second.stop().await.status.success());
    assert!(first.stop().await.status.success());
}

#[tokio::test]
async fn a_daemon_stopped_within_an_open_build_holds_nobody_up() {
    let mut env = Env::with_config(Cluster::shared(), "[limits]\nlease_ms = 500\n").await;
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("slow", "create table one (id int primary key); select pg_sleep(1);");
    env.add_blueprint(folder.path()).await;
    let (second, socket) = start_second(&env).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let started = env.tenantry(&create).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().expect("an operation").to_owned();
    let mut target = env.target().await;
    let sleeps = "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')";
    let looker = tokio::sync::Mutex::new(&mut target);
    eventually("the migration runs", async || {
        let mut target = looker.lock().await;
        sqlx::query_scalar::<_, bool>(sleeps).fetch_one(&mut **target).await.unwrap().then_some(())
    })
    .await;
    let first = env.take_daemon();
    first.signal(Signal::SIGSTOP);
    let begin = Instant::now();
    eventually("the second builds it", async || {
        let shown = at(&socket, &env, &["operation", "show", &id, "--json"]).await.json();
        (shown["state"]["name"] == "succeeded").then_some(())
    })
    .await;
    // This includes the lease and building once more; the transaction that was left open would take a minute to end.
    assert!(begin.elapsed() < Duration::from_millis(500 + 5_000), "it took {:?}", begin.elapsed());
    first.signal(Signal::SIGCONT);
    assert!(second.stop().await.status.success());
    assert!(first.stop().await.status.success());
    target.close().await.unwrap();
}
