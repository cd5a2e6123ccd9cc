//! Upgrades of many tenants in a pseudo terminal: what paused one is read, the reason is removed, and a key lets it go on.

use tenantry_harness::{Env, Folder};

use crate::console::screens::{CTRL_S, CTRL_X, ENTER, ESCAPE, Keys};
use crate::tenants::upgrades::many::{clear, plant, shops, upgrade, upgraded};

#[tokio::test]
async fn a_paused_upgrade_is_opened_understood_and_let_go_on_by_keys_alone() {
    let env = Env::new().await;
    shops(&env, &["alpha", "bravo", "charlie"]).await;
    plant(&env, "alpha").await;
    upgrade(&env, &[]).await.assert_status(6);
    let mut keys = Keys::at(&env);
    let list = keys.console.wait_for_text("3 behind");
    assert!(list.contains("shop 1.0↑"), "{list}");
    let upgrades = keys.press("u", "! paused");
    assert!(upgrades.contains("shop 1.1") && upgrades.contains("the pilot failed"), "{upgrades}");
    let paused = keys.press(ENTER, "V2__price.sql 42P07");
    for part in ["0 of 3 done", "1 failed", "wave", "1 of 3", "already exists", "p resume"] {
        assert!(paused.contains(part), "{part} is not said\n{paused}");
    }
    keys.press(ENTER, "tenants › alpha");
    keys.press(ESCAPE, "3 behind");
    keys.press("u", "! paused");
    keys.press(ENTER, "p resume");
    clear(&env, "alpha").await;
    keys.press("p", "2 of 3 done");
    let partial = keys.console.wait_for_text("✗ partial");
    assert!(!partial.contains("p resume") && !partial.contains("x cancel"), "{partial}");
    let done = keys.press("f", "✓ succeeded");
    assert!(done.contains("3 of 3 done") && done.contains("nothing failed"), "{done}");
    assert_eq!(upgraded(&env).await, 3);
    keys.press(ESCAPE, "the 1 newest");
    let list = keys.press(ESCAPE, "shop 1.1");
    assert!(!list.contains("behind"), "{list}");
}

#[tokio::test]
async fn an_upgrade_is_cancelled_only_after_the_question_and_what_is_done_stays() {
    let env = Env::new().await;
    shops(&env, &["alpha", "bravo", "charlie"]).await;
    upgrade(&env, &["--manual"]).await.assert_status(6);
    let mut keys = Keys::at(&env);
    keys.press("u", "wave 1 of 3 is done");
    keys.press(ENTER, "x cancel");
    // One burst: a key that was typed before the question is visible is not an answer.
    keys.console.type_keys(&format!("x{CTRL_X}"));
    let asked = keys.console.wait_for_text("Cancel it: ctrl-x");
    assert!(asked.contains("1 of 3 tenants have it and keep it"), "{asked}");
    keys.press(ENTER, "p resume");
    keys.press("x", "Cancel it: ctrl-x");
    keys.press(CTRL_X, "✗ cancelled");
    assert_eq!(upgraded(&env).await, 1);
    keys.press(ESCAPE, "the 1 newest");
    keys.press(ESCAPE, "2 behind");
    keys.press("/", "filter:");
    let behind = keys.type_text("behind:", "2 of 3 tenants");
    assert!(behind.contains("bravo") && behind.contains("charlie") && !behind.contains("alpha"), "{behind}");
}

#[tokio::test]
async fn an_upgrade_is_begun_as_its_plan_was_read() {
    let env = Env::new().await;
    shops(&env, &["alpha", "bravo"]).await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("2 behind");
    let plan = keys.press("U", "approve and begin");
    for part in ["plan for shop", "2 tenants to go", "from 1.0", "V2__price.sql", "waves: 1, 1", "hash "] {
        assert!(plan.contains(part), "{part} is not said\n{plan}");
    }
    assert_eq!(upgraded(&env).await, 0);
    let done = keys.press(CTRL_S, "✓ succeeded");
    assert!(done.contains("2 of 2 done"), "{done}");
    assert_eq!(upgraded(&env).await, 2);
}

#[tokio::test]
async fn a_version_that_is_added_while_the_console_is_open_shows_who_is_behind() {
    let env = Env::new().await;
    let folder = |version: &str| {
        Folder::new(&env.dir, "shop", version)
            .migration("items", "create table items (id bigint primary key);")
    };
    env.add_blueprint(folder("1.0").path()).await;
    env.provision_of("alpha", "shop").await;
    let keys = Keys::at(&env);
    let list = keys.console.wait_for_text("shop 1.0");
    assert!(!list.contains("behind"), "{list}");
    let price = folder("1.1").migration("price", "alter table items add column price numeric;");
    env.add_blueprint(price.path()).await;
    let list = keys.console.wait_for_text("1 behind");
    assert!(list.contains("shop 1.0↑"), "{list}");
}
