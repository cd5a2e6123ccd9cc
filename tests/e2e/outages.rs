//! The control database goes away or to somebody else, and what the daemon says meanwhile.

use std::path::PathBuf;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::harness::daemon::Daemon;
use crate::harness::{Cluster, Env, Version, eventually};

const CREATE: [&str; 5] = ["tenant", "create", "acme", "--blueprint", "projects"];

/// The server can no longer be reached where the daemon looks, and its sessions there are ended.
async fn hide_server(env: &Env) -> PathBuf {
    let (there, away) = (env.cluster.socket_dir(), env.cluster.socket_dir().with_extension("away"));
    std::fs::rename(&there, &away).unwrap();
    let mut superuser = env.cluster.options("postgres").socket(&away).connect().await.unwrap();
    let end =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'tenantryd'";
    sqlx::query(end).execute(&mut superuser).await.unwrap();
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
async fn a_daemon_whose_control_database_was_taken_over_writes_nothing_more_and_says_why() {
    let env = Env::new().await;
    let config = env.config_path();
    let socket = env.dir.join("second.sock");
    let arguments = ["--config", config.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    let second = Daemon::start(&arguments, &env.dir).await;
    env.tenantry(&CREATE).await.assert_status(3).assert_says(&["another daemon has taken over"]);
    // Reads go on.
    let listed = env.tenantry(&["tenant", "list", "--all", "--json"]).await.assert_status(0).json();
    assert_eq!(listed["total"], 0, "{listed}");
    assert!(second.stop().await.status.success());
}
