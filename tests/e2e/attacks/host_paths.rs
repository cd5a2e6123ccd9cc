//! The daemon's own places on the machine: it does not use what others could change.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use nix::unistd::geteuid;
use tenantry_harness::daemon::Daemon;
use tenantry_harness::scratch::Scratch;
use tenantry_harness::{Cluster, Env, eventually};

const NOBODY: u32 = 65_534;

/// An installation whose daemon has not been started yet.
async fn prepared() -> Env {
    let env = Env::prepare(Cluster::shared()).await;
    env.write_config("", &[("local", env.target_url())]);
    env
}

/// What the daemon says when it refuses to start.
async fn refusal(env: &Env) -> String {
    let config = env.config_path();
    let ended = Daemon::try_start(&["--config", config.to_str().unwrap()], &env.dir).await;
    ended.expect_err("it is not safe").log
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_sockets_lock_is_no_link_and_nobody_elses_to_take() {
    let mut env = prepared().await;
    let (lock, precious) = (env.dir.join("run/tenantryd.lock"), env.dir.join("precious"));
    fs::create_dir(env.dir.join("run")).unwrap();
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, &lock).unwrap();
    let said = refusal(&env).await;
    assert!(said.contains("tenantryd.lock is not a regular file"), "{said}");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");

    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    set_mode(&lock, 0o644);
    env.start_daemon().await;
    assert_eq!(fs::metadata(&lock).unwrap().mode() & 0o777, 0o600, "an earlier release left it open");
}

#[tokio::test]
async fn a_state_directory_that_others_can_change_is_refused_with_the_command_that_closes_it() {
    let mut env = prepared().await;
    let state = env.dir.join("state");
    fs::create_dir(&state).unwrap();
    set_mode(&state, 0o777);
    let said = refusal(&env).await;
    for part in ["the state directory is not safe", "mode 0777", &format!("`chmod go-w {}`", state.display())]
    {
        assert!(said.contains(part), "'{part}' is not said: {said}");
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing is made in it");
    set_mode(&state, 0o755);
    if geteuid().is_root() {
        chown(&state, Some(NOBODY), None).unwrap();
        let said = refusal(&env).await;
        let mends = format!("`chown root {}`", state.display());
        assert!(said.contains("(uid 65534)") && said.contains(&mends), "{said}");
        chown(&state, Some(0), None).unwrap();
    }
    // A directory on the way there matters as much as the directory itself.
    set_mode(&env.dir, 0o777);
    let said = refusal(&env).await;
    assert!(said.contains(&format!("`chmod go-w {}`", env.dir.display())), "{said}");
    set_mode(&env.dir, 0o700);
    env.start_daemon().await;
}

#[tokio::test]
async fn the_private_key_and_the_anchors_go_through_no_link() {
    let mut env = prepared().await;
    let (audit, elsewhere) = (env.dir.join("state/audit"), env.dir.join("elsewhere"));
    fs::create_dir_all(&audit).unwrap();
    // In the order in which they are opened.
    for name in ["anchors", "key"] {
        fs::write(&elsewhere, "").unwrap();
        symlink(&elsewhere, audit.join(name)).unwrap();
        let said = refusal(&env).await;
        assert!(said.contains(&format!("audit/{name} is not a regular file")), "{said}");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
        fs::remove_file(audit.join(name)).unwrap();
    }
    env.start_daemon().await;
    let mode = |name: &str| fs::metadata(audit.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("key"), mode("anchors")), (0o600, 0o600));
}

#[tokio::test]
async fn a_configuration_that_another_user_can_change_is_not_taken_at_a_start_nor_later() {
    let mut env = prepared().await;
    let config = env.config_path();
    set_mode(&config, 0o622);
    let said = refusal(&env).await;
    let mends = format!("`chmod go-w {}`", config.display());
    assert!(said.contains("the configuration is not safe") && said.contains(&mends), "{said}");
    set_mode(&config, 0o600);
    if geteuid().is_root() {
        chown(&config, Some(NOBODY), None).unwrap();
        let said = refusal(&env).await;
        assert!(said.contains("(uid 65534)") && said.contains("`chown root "), "{said}");
        chown(&config, Some(0), None).unwrap();
    }
    env.start_daemon().await;
    set_mode(&config, 0o622);
    env.daemon().signal(nix::sys::signal::Signal::SIGHUP);
    eventually("it says why it goes on with what it had", async || {
        env.daemon().log().contains("the configuration is not safe").then_some(())
    })
    .await;
    env.tenantry(&["tenant", "list"]).await.assert_status(0);
}

#[tokio::test]
async fn a_log_is_not_written_where_others_can_leave_a_link() {
    let env = prepared().await;
    let logs = env.dir.join("logs");
    fs::create_dir(&logs).unwrap();
    env.write_config(&format!("[log]\ndir = \"{}\"\n", logs.display()), &[("local", env.target_url())]);
    set_mode(&logs, 0o777);
    let said = refusal(&env).await;
    assert!(said.contains(&format!("`chmod go-w {}`", logs.display())), "{said}");
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 0, "nothing is made in it");
}

#[tokio::test]
async fn programs_that_others_can_change_are_not_run() {
    let mut env = prepared().await;
    let programs = env.dir.join("programs");
    fs::create_dir(&programs).unwrap();
    let marker = env.dir.join("it-ran");
    for name in ["pg_dump", "pg_restore", "postgres", "initdb"] {
        fs::write(programs.join(name), format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
        set_mode(&programs.join(name), 0o777);
    }
    // The private cluster's user has to be able to reach it.
    let scratch = Scratch::new();
    let (state, embedded) = (scratch.join("embedded"), env.dir.join("embedded.toml"));
    let lines = format!(
        "state_dir = \"{}\"\nsocket = \"{}/run/e.sock\"\n[embedded]\nbin_dir = \"{}\"\n",
        state.display(),
        env.dir.display(),
        programs.display()
    );
    fs::write(&embedded, lines).unwrap();
    let ended = Daemon::try_start(&["--config", embedded.to_str().unwrap()], &env.dir).await;
    let said = ended.expect_err("it is not safe").log;
    let mends = format!("`chmod go-w {}`", programs.join("postgres").display());
    assert!(said.contains(&mends), "{said}");

    env.write_config(
        &format!("[archive]\nbin_dir = \"{}\"\n", programs.display()),
        &[("local", env.target_url())],
    );
    env.start_daemon().await;
    env.provision("acme").await;
    let retired = env.tenantry(&["tenant", "retire", "acme", "--confirm", "acme"]).await.assert_status(5);
    retired.assert_says(&["[archive] bin_dir is not safe", "chmod go-w"]);
    assert!(!marker.exists(), "a program of theirs ran");
}
