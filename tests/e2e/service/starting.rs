//! How the daemon comes up in the surroundings that it finds: variables, sockets that are taken, logs.

use std::process::Stdio;

use serde_json::Value;
use tenantry_harness::cli::{run, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::{Cluster, Env, binaries, eventually};
use tokio::process::Command;

#[tokio::test]
async fn postgresqls_variables_in_the_environment_change_nothing() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let config = env.config_path();
    let misleading = [
        ("PGHOST", "/nowhere"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGDATABASE", "none"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/nowhere/root.pem"),
        ("PGOPTIONS", "-c default_transaction_read_only=on"),
    ];
    let arguments = ["--config", config.to_str().unwrap()];
    let daemon = Daemon::start_with(&arguments, &env.dir, &misleading).await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0"];
    let mut all = vec!["--socket", daemon.socket().to_str().unwrap()];
    all.extend(create);
    run(tenantry_command(&all, &env.dir)).await.assert_status(0);
}

#[tokio::test]
async fn a_socket_that_is_taken_or_no_socket_is_left_alone() {
    let (first, mut other) = (Env::new().await, Env::new().await);
    other.take_daemon().stop().await;
    let config = other.config_path();
    let start = async |socket: &str| {
        let arguments = ["--config", config.to_str().unwrap(), "--socket", socket];
        Daemon::try_start(&arguments, &other.dir).await.expect_err("the socket is not free").log
    };
    let taken = start(first.socket().to_str().unwrap()).await;
    assert!(taken.contains("another tenantryd listens") && taken.contains("--socket"), "{taken}");
    first.tenantry(&["status"]).await.assert_status(0);

    let file = other.dir.join("precious");
    std::fs::write(&file, "not a socket").unwrap();
    let in_the_way = start(file.to_str().unwrap()).await;
    assert!(in_the_way.contains("precious") && in_the_way.contains("no socket"), "{in_the_way}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a socket");
}

/// Listens on the first argument and becomes the rest, as a service manager hands its socket over.
const HAND_OVER: &str = "
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
";

#[tokio::test]
async fn a_socket_that_the_service_manager_made_is_served_and_kept() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let socket = env.dir.join("passed.sock");
    let mut daemon = Command::new("python3");
    daemon.args(["-c", HAND_OVER]).arg(&socket).arg(binaries::tenantryd());
    daemon.arg("--config").arg(env.config_path()).arg("--exit-with-stdin");
    daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).env_remove("TENANTRY_SOCKET");
    let mut daemon = daemon.kill_on_drop(true).spawn().unwrap();
    let status = ["--socket", socket.to_str().unwrap(), "status"];
    eventually("the daemon answers on it", async || {
        (run(tenantry_command(&status, &env.dir)).await.status == 0).then_some(())
    })
    .await;
    drop(daemon.stdin.take());
    assert!(daemon.wait().await.unwrap().success());
    assert!(socket.exists(), "the socket is the service manager's");
}

#[tokio::test]
async fn a_log_in_files_is_json_to_its_last_line_and_holds_no_secret() {
    let cluster = Cluster::shared();
    let dir = cluster.new_dir();
    let lines = format!("[log]\nlevel = \"debug\"\nformat = \"json\"\ndir = \"{}\"\n", dir.display());
    let mut env = Env::with_config(cluster, &lines).await;
    let made = env.provision("acme").await;
    let ended = env.take_daemon().terminate().await;
    assert!(ended.status.success(), "{}", ended.log);
    let files: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("one day, one file: {files:?}") };
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let said = |message: &str| lines.iter().any(|line| line["fields"]["message"] == message);
    assert!(said("ready") && said("an operation ended") && said("stopping"), "{text}");
    assert!(!text.contains(made.credentials.password.as_deref().unwrap()), "{text}");
    assert_eq!(ended.log, "", "what goes to the files does not go to standard error too");
}
