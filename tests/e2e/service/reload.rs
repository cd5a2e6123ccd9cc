//! SIGHUP: the daemon reads its configuration again. What can change changes, what cannot is named, and a wrong file
//! changes nothing; each reload is in the trail.

use nix::sys::signal::Signal;
use serde_json::Value;
use tenantry_harness::eventually;

use crate::interface::access::{SOMEBODY, Shared};

/// Writes the configuration, has the daemon read it, and waits until that is on record.
async fn reload(shared: &Shared, lines: &str) -> Value {
    let before = shared.events("config.reload").await.len();
    shared.env.write_config(lines, &[("local", shared.env.target_url())]);
    shared.daemon.signal(Signal::SIGHUP);
    eventually("the reading is on record", async || {
        let mut events = shared.events("config.reload").await;
        (events.len() > before).then(|| events.remove(0))
    })
    .await
}

#[tokio::test]
async fn an_operator_who_is_added_may_act_without_a_restart_and_one_who_is_removed_may_not() {
    let shared = Shared::start("").await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0"];
    shared.tenantry_of_somebody(&create).await.assert_status(4);

    let read = reload(&shared, &format!("label = \"NEW\"\n[access]\noperators = [\"{SOMEBODY}\"]\n")).await;
    assert_eq!(read["outcome"], "ok", "{read}");
    assert_eq!(read["facts"]["changed"], "access.operators,label", "{read}");
    assert_eq!(read["facts"]["config"].as_str().map(str::len), Some(64), "{read}");
    eventually("the new operator acts", async || {
        (shared.tenantry_of_somebody(&create).await.status == 0).then_some(())
    })
    .await;
    let hello = shared.tenantry(&["rpc", "hello"]).await.assert_status(0).json();
    assert_eq!(hello["label"], "NEW", "{hello}");

    reload(&shared, "").await;
    eventually("the operator of before is denied", async || {
        (shared.tenantry_of_somebody(&["tenant", "list"]).await.status == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_is_wrong_leaves_everything_as_it_was() {
    let lines = format!("[access]\noperators = [\"{SOMEBODY}\"]\n");
    let shared = Shared::start(&lines).await;
    for (wrong, why) in [
        ("[access]\noperators = [\"nobody-of-that-name\"]\n", "nobody-of-that-name"),
        ("[access\n", "tenantryd.toml:3:"),
        ("[limits]\nretire_grace = 5\n", "retire_grace"),
    ] {
        let read = reload(&shared, wrong).await;
        assert_eq!(read["outcome"], "failed", "{read}");
        assert!(read["detail"].as_str().unwrap().contains(why), "{read}");
        assert!(shared.daemon.log().contains(why), "the log says why: {}", shared.daemon.log());
        shared.tenantry_of_somebody(&["tenant", "list"]).await.assert_status(0);
    }
    std::fs::remove_file(shared.env.config_path()).unwrap();
    let failed = shared.events("config.reload").await.len();
    shared.daemon.signal(Signal::SIGHUP);
    eventually("a file that is gone is on record", async || {
        (shared.events("config.reload").await.len() > failed).then_some(())
    })
    .await;
    shared.tenantry_of_somebody(&["tenant", "list"]).await.assert_status(0);
}

#[tokio::test]
async fn what_takes_a_restart_is_named_and_the_log_gets_its_new_level_at_once() {
    let shared = Shared::start("[log]\nlevel = \"error\"\n").await;
    let lines = "[log]\nlevel = \"info\"\n[limits]\nlease_ms = 2500\nretire_grace_s = 7\n";
    for _ in 0..2 {
        // It is named at each reload, as long as a restart is needed.
        let read = reload(&shared, lines).await;
        assert_eq!(read["facts"]["restart"], "limits.lease_ms", "{read}");
    }
    let log = eventually("the log is as detailed as it is asked to be", async || {
        let log = shared.daemon.log();
        log.contains("takes a restart").then_some(log)
    })
    .await;
    assert!(log.contains("limits.lease_ms"), "{log}");
    shared.tenantry(&["tenant", "create", "acme", "--blueprint", "projects@1.0"]).await.assert_status(0);
    shared
        .tenantry(&["tenant", "retire", "acme", "--confirm", "acme", "--discard-data"])
        .await
        .assert_status(0);
    let retired = shared.events("retire").await;
    assert_eq!(retired[0]["facts"]["grace_s"], "7", "{retired:?}");
}
