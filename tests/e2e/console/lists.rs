//! Lists, marks and the dialogs that remove, in a pseudo terminal: the screen shows what is there, and only what was named
//! is removed.

use sqlx::{Connection as _, Executor as _};
use tenantry_harness::{Env, Folder};

use crate::console::screens::{CTRL_S, CTRL_X, ENTER, ESCAPE, Keys};

#[tokio::test]
async fn the_dialog_counts_what_goes_with_the_tenant() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "small", "1.0").migration(
        "things",
        "create table a (id int primary key); create table b (id int primary key);
         insert into a select generate_series(1, 1234);",
    );
    env.add_blueprint(folder.path()).await;
    let small = env.provision_of("small", "small").await;
    let login = &small.credentials;
    let session = env.cluster.options(&env.target_db).username(&login.role);
    let session = session.password(login.password.as_deref().unwrap());
    let mut session = sqlx::PgConnection::connect_with(&session).await.unwrap();
    session.execute("select 1").await.unwrap();
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("active");
    let shown = keys.press("R", "2 tables, 1,234 rows");
    for effect in [small.tenant.placement.as_str(), "kB", "1 session will be cut", " active", &login.role] {
        assert!(shown.contains(effect), "{effect} is not named\n{shown}");
    }
    // The typed text and its place survive at any size.
    keys.type_text("sma", "back: sma");
    keys.console.resize(10, 40);
    let narrow = keys.console.wait_for_screen("the question", |screen| {
        screen.contains("roll it back: sma") && screen.contains("esc cancel")
    });
    assert!(narrow.contains("Cancel"), "{narrow}");
    keys.type_text("ll", "Roll back: ctrl-x");
    keys.console.resize(24, 80);
    // A key that comes before the question has reappeared at this size is not meant for it.
    keys.console.wait_for_text("An archive is made and read back first");
    keys.press(CTRL_X, "rollback of small: done");
    env.assert_clean_slate(&small.tenant.placement).await;
}

#[tokio::test]
async fn marked_tenants_are_rolled_back_together_and_no_other() {
    let env = Env::new().await;
    let mut made = Vec::new();
    for slug in ["acme", "globex", "initech"] {
        made.push(env.provision(slug).await.tenant);
    }
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("initech");
    keys.press(" ", "1 marked");
    keys.press(" ", "2 marked");
    // Neither another order nor a filter moves a mark to another tenant.
    keys.press("S", "TENANT ▼");
    keys.press("s", "STATE ▲");
    keys.press("/", "filter:");
    keys.type_text("init", "2 marked, 2 not shown");
    keys.press(ESCAPE, "globex");
    // One burst: keys typed before the dialog is visible are not meant for it.
    keys.console.type_keys(&format!("Rroll back 2 tenants{CTRL_X}"));
    let asked = keys.console.wait_for_text("Together 50 tables");
    assert!(asked.contains("acme") && asked.contains("globex") && !asked.contains("initech"), "{asked}");
    assert!(asked.contains("type the words first"), "{asked}");
    keys.type_text("roll back 2 tenants", "Roll back: ctrl-x");
    keys.press(ENTER, "enter removes nothing");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    keys.press(CTRL_X, "all 2 tenants are rolled back");
    for tenant in &made[..2] {
        env.assert_clean_slate(&tenant.placement).await;
    }
    assert_eq!(env.tenant("initech").await.tenant.state.name(), "active");
    let list = keys.press(ESCAPE, "2 of 2 tenants are rolled back");
    assert!(!list.contains("marked"), "{list}");
}

#[tokio::test]
async fn operations_are_listed_while_they_run_and_with_the_cause_when_they_fail() {
    let env = Env::new().await;
    let broken = Folder::new(&env.dir, "broken", "1.0").migration("wrong", "create tabel x (id int);");
    env.add_blueprint(broken.path()).await;
    env.tenantry(&["tenant", "create", "acme", "--blueprint", "broken"]).await.assert_status(1);
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let mut keys = Keys::at(&env);
    let list = keys.press("O", "V1__wrong.sql:1");
    assert!(list.contains("rolled back") && list.contains("42601"), "{list}");
    let create = ["tenant", "create", "globex", "--blueprint", "slow", "--no-wait"];
    env.tenantry(&create).await.assert_status(0);
    keys.console.wait_for_screen("the running one", |screen| {
        screen.contains("1 running")
            && screen.lines().any(|line| line.contains("running") && line.contains("globex"))
    });
    keys.press("G", "V1__wrong.sql:1");
    keys.press(ENTER, "edit and retry");
    keys.press(ESCAPE, "1 running");
    keys.press(":", "command 1 of");
    keys.type_text("operations", "operations");
    keys.press(ENTER, "1 running");
    keys.press("g", "by ");
    keys.press(ENTER, "leave it running");
}

#[tokio::test]
async fn the_wizard_outlives_the_daemon() {
    let mut env = Env::new().await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("● live");
    keys.press("n", "1 details");
    keys.type_text("Acme GmbH", "acme-gmbh");
    keys.press(ENTER, "connection limit");
    env.take_daemon().stop().await;
    keys.console.wait_for_text("✗ lost");
    keys.press(ENTER, "there is no connection to the daemon now");
    keys.press(ESCAPE, "connection limit");
    keys.press(ESCAPE, "derived from");
    keys.press(ESCAPE, "the draft is kept");
    env.start_daemon().await;
    keys.console.wait_for_text("● live");
    keys.press("n", "Acme GmbH");
    keys.press(ENTER, "connection limit");
    keys.press(ENTER, "approve and run");
    keys.press(CTRL_S, "acme-gmbh is active");
}

#[tokio::test]
async fn a_running_operation_is_cancelled_and_a_tenant_suspended_and_resumed_by_keys() {
    let env = Env::new().await;
    env.provision("acme").await;
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let mut keys = Keys::at(&env);
    let create = ["tenant", "create", "globex", "--blueprint", "slow", "--no-wait"];
    env.tenantry(&create).await.assert_status(0);
    keys.press("O", "globex");
    keys.press("g", "by ");
    keys.press(ENTER, "x cancel and undo");
    let ended = keys.press("x", "undone: nothing is left");
    assert!(ended.contains("cancelled by"), "{ended}");
    keys.press(":", "command 1 of");
    keys.type_text("suspend acme", "suspend acme");
    keys.press(ENTER, "suspend of acme: done");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "suspended");
    keys.press(ENTER, "s resume");
    keys.press("s", "resume of acme: done");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}
