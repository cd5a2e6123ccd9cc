//! What the daemon says about its configuration before it serves anybody.

use std::path::Path;

use tenantry_harness::catalog::Snapshot;
use tenantry_harness::cli::{Output, run};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::{Cluster, Env, Version, binaries};
use tokio::process::Command;

async fn check(config: &Path, home: &Path) -> Output {
    let mut command = Command::new(binaries::tenantryd());
    command.arg("--check").arg("--config").arg(config).env("HOME", home).env_remove("TENANTRY_SOCKET");
    run(command).await
}

/// The URL of a server that does not run.
fn closed_url(env: &Env) -> String {
    let dir = env.dir.join("closed");
    std::fs::create_dir_all(&dir).unwrap();
    format!("postgres://someone:secret-word@{}/db", dir.to_str().unwrap().replace('/', "%2F"))
}

#[tokio::test]
async fn check_connects_to_everything_and_names_what_is_wrong() {
    let env = Env::new().await;
    let good = check(&env.config_path(), &env.dir).await.assert_status(0);
    assert!(good.stdout.contains("control") && good.stdout.contains("target local"), "{good}");

    env.write_config("", &[("local", env.target_url()), ("closed", closed_url(&env))]);
    let bad = check(&env.config_path(), &env.dir).await;
    assert_ne!(bad.status, 0, "{bad}");
    let said = format!("{}{}", bad.stdout, bad.stderr);
    assert!(said.contains("error: target closed") && said.contains("ok: target local"), "{bad}");
    assert!(
        !said.contains("secret-word") && !said.contains("only-for-tests"),
        "a password is never shown\n{bad}"
    );
}

#[tokio::test]
async fn check_changes_nothing() {
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    env.take_daemon().stop().await;
    let before = Snapshot::take(&env).await;
    check(&env.config_path(), &env.dir).await.assert_status(0);
    let changed = before.difference(&Snapshot::take(&env).await);
    assert!(changed.is_empty(), "{changed:#?}");
}

#[tokio::test]
async fn a_control_database_that_is_down_is_a_sentence() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let text = std::fs::read_to_string(env.config_path()).unwrap();
    let url = closed_url(&env);
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((key @ ("url" | "migrate_url"), value)) if value.contains(&env.control_db) => {
            format!("{key} = \"{url}\"\n")
        }
        _ => format!("{line}\n"),
    });
    std::fs::write(env.config_path(), lines.collect::<String>()).unwrap();
    let config = env.config_path();
    let ended = Daemon::try_start(&["--config", config.to_str().unwrap()], &env.dir)
        .await
        .expect_err("it cannot start");
    assert!(!ended.status.success());
    assert!(ended.log.contains("control database"), "{}", ended.log);
    assert!(!ended.log.contains("secret-word") && !ended.log.contains("panicked"), "{}", ended.log);
}

#[tokio::test]
async fn a_configuration_that_everybody_can_read_is_refused_if_it_holds_a_password() {
    use std::os::unix::fs::PermissionsExt;

    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    std::fs::set_permissions(env.config_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = env.config_path();
    let ended = Daemon::try_start(&["--config", config.to_str().unwrap()], &env.dir)
        .await
        .expect_err("it is refused");
    assert!(!ended.status.success());
    assert!(ended.log.contains("tenantryd.toml") && ended.log.contains("chmod"), "{}", ended.log);
}
