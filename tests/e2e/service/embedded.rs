//! The daemon with a cluster of its own: made, used, left behind by a crash, found again, removed.
//!
//! Runs as any user; if the tests run as root, the cluster runs as an unprivileged user.

use std::process::Stdio;

use tenantry_harness::binaries;
use tenantry_harness::cli::{Output, run, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::scratch::{Scratch, names_in};
use tenantry_harness::{Provisioned, eventually, small_disk};

async fn tenantry(daemon: &Daemon, scratch: &Scratch, arguments: &[&str]) -> Output {
    let mut all = vec!["--socket", daemon.socket().to_str().unwrap()];
    all.extend(arguments);
    run(tenantry_command(&all, scratch.path())).await
}

async fn assert_nothing_runs(scratch: &Scratch) {
    let last = std::cell::RefCell::new(Vec::new());
    let gone = eventually("everything that was started ends", async || {
        *last.borrow_mut() = scratch.processes();
        last.borrow().is_empty().then_some(())
    });
    tokio::pin!(gone);
    gone.await;
}

#[tokio::test]
async fn the_demo_without_a_terminal_prints_a_table_and_leaves_nothing() {
    let scratch = Scratch::new();
    let temporary = scratch.make_dir("tmp");
    let mut command = tenantry_command(&["demo"], scratch.path());
    command.env("TMPDIR", &temporary);
    let output = run(command).await.assert_status(0);
    for text in ["acme", "globex", "initech", "active"] {
        assert!(output.stdout.contains(text), "'{text}' is not in the table\n{output}");
    }
    assert_nothing_runs(&scratch).await;
    assert_eq!(names_in(&temporary), [] as [&str; 0]);
}

#[tokio::test]
async fn an_interrupted_demo_leaves_nothing() {
    let scratch = Scratch::new();
    let temporary = scratch.make_dir("tmp");
    let mut command = tenantry_command(&["demo"], scratch.path());
    command.env("TMPDIR", &temporary).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    eventually("its daemon runs", async || {
        scratch.processes().iter().any(|line| line.contains("tenantryd")).then_some(())
    })
    .await;
    // Killed, so that it cannot clean up: its daemon notices the end of its input.
    child.kill().await.unwrap();
    assert_nothing_runs(&scratch).await;
    eventually("the daemon removed its folder", async || {
        names_in(&temporary).iter().all(|name| !name.contains("tenantryd")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_ephemeral_daemon_works_and_leaves_nothing() {
    let scratch = Scratch::new();
    let temporary = scratch.make_dir("tmp");
    let log_dir = scratch.make_dir("log");
    let daemon =
        Daemon::start_with(&["--ephemeral"], &log_dir, &[("TMPDIR", temporary.to_str().unwrap())]).await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json"];
    let made = Provisioned::from(&tenantry(&daemon, &scratch, &create).await.assert_status(0).json());
    assert_eq!(made.tenant.target.as_str(), "local");
    let status = tenantry(&daemon, &scratch, &["status", "--json"]).await.assert_status(0).json();
    assert_eq!(status["health"]["daemon"]["mode"], "ephemeral", "{status}");
    let ended = daemon.stop().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.log);
    assert_nothing_runs(&scratch).await;
    assert_eq!(names_in(&temporary), [] as [&str; 0]);
}

#[tokio::test]
async fn tenants_outlive_a_daemon_that_was_killed() {
    let scratch = Scratch::new();
    let (state, socket) = (scratch.text("state"), scratch.text("run/d.sock"));
    let log_dir = scratch.make_dir("log");
    let arguments = ["--state-dir", &state, "--socket", &socket];
    let daemon = Daemon::start(&arguments, &log_dir).await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json"];
    let made = Provisioned::from(&tenantry(&daemon, &scratch, &create).await.assert_status(0).json());
    daemon.kill().await;

    // The cluster and the socket's file still exist.
    let daemon = Daemon::start(&arguments, &log_dir).await;
    let show =
        tenantry(&daemon, &scratch, &["tenant", "show", "acme", "--json"]).await.assert_status(0).json();
    assert_eq!(show["tenant"]["id"], made.tenant.id.to_string(), "{show}");
    assert_eq!(show["tenant"]["state"]["name"], "active");
    let create = ["tenant", "create", "globex", "--blueprint", "projects@1.0", "--json"];
    tenantry(&daemon, &scratch, &create).await.assert_status(0);
    let ended = daemon.stop().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.log);
    assert_nothing_runs(&scratch).await;

    // The same once more, after a clean stop.
    let daemon = Daemon::start(&arguments, &log_dir).await;
    let list = tenantry(&daemon, &scratch, &["tenant", "list", "--json"]).await.assert_status(0).json();
    assert_eq!(list["total"], 2, "{list}");
    let ended = daemon.terminate().await;
    assert!(ended.status.success(), "{}\n{}", ended.status, ended.log);
    assert_nothing_runs(&scratch).await;
}

#[tokio::test]
async fn a_second_daemon_on_the_same_state_is_refused_and_the_first_goes_on() {
    let scratch = Scratch::new();
    let state = scratch.text("state");
    let log_dir = scratch.make_dir("log");
    let first =
        Daemon::start(&["--state-dir", &state, "--socket", &scratch.text("run/a.sock")], &log_dir).await;
    let second =
        Daemon::try_start(&["--state-dir", &state, "--socket", &scratch.text("run/b.sock")], &log_dir).await;
    let ended = second.expect_err("two daemons never share a cluster");
    assert!(
        ended.log.contains(&first.announcement.pid.to_string()),
        "it names the other's pid:\n{}",
        ended.log
    );
    tenantry(&first, &scratch, &["tenant", "list"]).await.assert_status(0);
    assert!(first.stop().await.status.success());
    assert_nothing_runs(&scratch).await;
}

#[tokio::test]
async fn a_full_disk_is_a_sentence_and_leaves_nothing_running_or_mounted() {
    for size in ["64k", "8m", "30m"] {
        let scratch = Scratch::new();
        let mut command = small_disk::command(&scratch, size, &binaries::tenantryd()).await;
        command.args(["--state-dir", &scratch.text("disk/state"), "--socket", &scratch.text("d.sock")]);
        command.env("HOME", scratch.path()).env_remove("XDG_RUNTIME_DIR");
        let output = run(command).await;
        let mounted =
            !["mount:", "unshare:", "sudo: a "].iter().any(|program| output.stderr.contains(program));
        assert!(mounted, "this test mounts a small disk, and this machine does not let it\n{output}");
        assert_ne!(output.status, 0, "{output}");
        let output = output.assert_says(&[&scratch.text("disk/state")]);
        let said = output.stderr.to_lowercase();
        assert!(
            said.contains("full") || said.contains("space") || said.contains("free"),
            "size {size}: {output}"
        );
        assert_nothing_runs(&scratch).await;
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(scratch.path().to_str().unwrap()), "still mounted");
    }
}
