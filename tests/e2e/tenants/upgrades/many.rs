//! All tenants of a blueprint brought to a later version: waves, failures that stay alone, pauses, and who is in.

use serde_json::Value;
use tenantry_harness::cli::Output;
use tenantry_harness::{Env, eventually};

use super::{first, history, second, second_again};

/// Tenants of version 1.0, and version 1.1 beside it.
pub(crate) async fn shops(env: &Env, slugs: &[&str]) {
    env.add_blueprint(first(env).path()).await;
    for slug in slugs {
        env.provision_of(slug, "shop").await;
    }
    env.add_blueprint(second(env).path()).await;
}

const SEVEN: [&str; 7] = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"];

pub(crate) async fn upgrade(env: &Env, more: &[&str]) -> Output {
    let arguments = [&["blueprint", "upgrade", "shop", "--json"][..], more].concat();
    env.tenantry(&arguments).await
}

async fn versions(env: &Env) -> Vec<String> {
    let list = env.tenantry(&["tenant", "list", "--json"]).await.assert_status(0).json();
    let tenants = list["tenants"].as_array().unwrap();
    let line = |tenant: &Value| {
        format!("{} {}", tenant["slug"].as_str().unwrap(), tenant["version"].as_str().unwrap())
    };
    tenants.iter().map(line).collect()
}

pub(crate) async fn upgraded(env: &Env) -> usize {
    versions(env).await.iter().filter(|line| line.ends_with(" 1.1")).count()
}

/// A table of the new version stands in this tenant's way.
pub(crate) async fn plant(env: &Env, slug: &str) {
    let placement = env.tenant(slug).await.tenant.placement;
    let sql = format!("create table {placement}.sales (id int primary key)");
    env.cluster.execute(&env.target_db, sql).await;
}

pub(crate) async fn clear(env: &Env, slug: &str) {
    let placement = env.tenant(slug).await.tenant.placement;
    env.cluster.execute(&env.target_db, format!("drop table {placement}.sales")).await;
}

#[tokio::test]
async fn all_tenants_get_the_version_the_pilot_first_and_current_ones_cost_nothing() {
    let env = Env::new().await;
    shops(&env, &SEVEN).await;
    let plan = upgrade(&env, &["--plan", "--wave", "50"]).await.assert_status(0).json();
    assert_eq!(plan["tenants"], 7, "{plan}");
    assert_eq!(plan["waves"], serde_json::json!([1, 3, 3]), "{plan}");
    assert_eq!(plan["from"][0]["files"], serde_json::json!(["V2__price.sql", "R__names.sql"]), "{plan}");
    assert_eq!(upgraded(&env).await, 0, "a plan changes nothing");
    assert_eq!(behind(&env).await, SEVEN);
    let hash = plan["hash"].as_str().unwrap();
    let other = upgrade(&env, &["--wave", "10", "--approve", hash]).await;
    other.assert_status(5).assert_says(&["not what was approved"]);
    let done = upgrade(&env, &["--wave", "50", "--approve", &hash[..12]]).await.assert_status(0).json();
    assert_eq!(done["upgrade"]["state"]["name"], "succeeded", "{done}");
    assert_eq!(done["upgrade"]["counts"]["done"], 7, "{done}");
    assert_eq!(upgraded(&env).await, 7);
    assert!(behind(&env).await.is_empty());
    let nobody = env.tenantry(&["tenant", "list", "--behind"]).await.assert_status(0);
    assert!(nobody.stdout.contains("no tenant is behind"), "{nobody}");
    let placement = env.tenant("echo").await.tenant.placement;
    assert_eq!(
        history(&env, &env.target_db, placement.as_str()).await,
        ["0 V1__items.sql", "1 R__names.sql", "2 V2__price.sql", "3 R__names.sql"]
    );
    let before = operations(&env).await;
    let again = upgrade(&env, &[]).await.assert_status(0).json();
    assert_eq!(again["upgrade"]["counts"]["done"], 0, "{again}");
    assert_eq!(operations(&env).await, before, "nothing is done to tenants that are current");
    env.tenantry(&["audit", "verify"]).await.assert_status(0);
}

/// The tenants that `tenant list --behind` names.
async fn behind(env: &Env) -> Vec<String> {
    let list = env.tenantry(&["tenant", "list", "--behind", "--json"]).await.assert_status(0).json();
    let behind = list["behind"].as_array().unwrap();
    assert_eq!(list["total"], behind.len(), "{list}");
    assert!(behind.iter().all(|one| one["version"] == "1.0" && one["newest"] == "1.1"), "{list}");
    behind.iter().map(|one| one["slug"].as_str().unwrap().to_owned()).collect()
}

async fn operations(env: &Env) -> i64 {
    let count = "select count(*) from control.operation";
    sqlx::query_scalar(count).fetch_one(&mut env.control().await).await.unwrap()
}

#[tokio::test]
async fn a_failure_stays_alone_is_told_with_its_reason_and_can_be_tried_again() {
    let env = Env::new().await;
    shops(&env, &SEVEN).await;
    plant(&env, "charlie").await;
    plant(&env, "foxtrot").await;
    let partial = upgrade(&env, &[]).await.assert_status(1);
    let status = partial.json();
    assert_eq!(status["upgrade"]["state"]["name"], "partial", "{status}");
    assert_eq!(
        (&status["upgrade"]["counts"]["done"], &status["upgrade"]["counts"]["failed"]),
        (&5.into(), &2.into())
    );
    let group = &status["failures"][0];
    assert_eq!((&group["key"], &group["tenants"]), (&"V2__price.sql 42P07".into(), &2.into()), "{status}");
    assert_eq!(versions(&env).await[2], "charlie 1.0");
    assert_eq!(env.tenant("charlie").await.tenant.state.name(), "active", "it serves as before");
    let failures = env.tenantry(&["upgrade", "failures"]).await.assert_status(0);
    assert!(failures.stdout.contains("charlie") && failures.stdout.contains("already exists"), "{failures}");

    clear(&env, "charlie").await;
    clear(&env, "foxtrot").await;
    env.tenantry(&["upgrade", "retry"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 7);
    env.tenantry(&["upgrade", "retry"]).await.assert_status(5).assert_says(&["nothing failed"]);
}

#[tokio::test]
async fn a_pilot_that_fails_pauses_before_anybody_else_is_touched() {
    let env = Env::new().await;
    shops(&env, &SEVEN).await;
    plant(&env, "alpha").await;
    let paused = upgrade(&env, &[]).await.assert_status(6).json();
    assert_eq!(paused["upgrade"]["state"]["by"], "pilot", "{paused}");
    assert_eq!(upgraded(&env).await, 0);
    // What is open is not begun a second time.
    upgrade(&env, &[]).await.assert_status(5).assert_says(&["another upgrade of shop is open"]);
    clear(&env, "alpha").await;
    env.tenantry(&["upgrade", "retry"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 7);
}

#[tokio::test]
async fn too_many_failures_pause_and_a_resume_goes_on_past_them() {
    let env = Env::new().await;
    shops(&env, &SEVEN).await;
    for slug in ["bravo", "charlie", "delta"] {
        plant(&env, slug).await;
    }
    let paused = upgrade(&env, &["--stop-after", "2", "--width", "1"]).await.assert_status(6).json();
    assert_eq!(paused["upgrade"]["state"]["by"], "failures", "{paused}");
    assert_eq!((upgraded(&env).await, paused["upgrade"]["counts"]["failed"].as_u64()), (1, Some(2)));
    env.tenantry(&["upgrade", "resume"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(1);
    assert_eq!(upgraded(&env).await, 4);
}

#[tokio::test]
async fn a_manual_upgrade_waits_after_each_wave_and_a_cancelled_one_keeps_what_is_done() {
    let env = Env::new().await;
    shops(&env, &SEVEN).await;
    let paused = upgrade(&env, &["--manual", "--wave", "50%"]).await.assert_status(6).json();
    assert_eq!(paused["upgrade"]["state"]["by"], "wave", "{paused}");
    assert_eq!(upgraded(&env).await, 1);
    env.tenantry(&["upgrade", "resume"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(6);
    assert_eq!(upgraded(&env).await, 4);
    let cancelled = env.tenantry(&["upgrade", "cancel", "--json"]).await.assert_status(0).json();
    assert_eq!(cancelled["upgrade"]["state"]["name"], "cancelled", "{cancelled}");
    env.tenantry(&["upgrade", "watch"]).await.assert_status(1);
    assert_eq!(upgraded(&env).await, 4);
    env.tenantry(&["upgrade", "resume"]).await.assert_status(5).assert_says(&["is cancelled"]);
    let events = env.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json().to_string();
    for action in ["", ".paused", ".resume", ".cancel"] {
        assert!(events.contains(&format!("\"blueprint.upgrade{action}\"")), "{action}: {events}");
    }
    // The next one has what is left.
    let rest = upgrade(&env, &[]).await.assert_status(0).json();
    assert_eq!(rest["upgrade"]["counts"]["done"], 3, "{rest}");
}

#[tokio::test]
async fn who_is_provisioned_meanwhile_is_in_and_who_is_being_retired_is_skipped_by_name() {
    let env = Env::new().await;
    shops(&env, &SEVEN[..3]).await;
    env.tenantry(&["tenant", "suspend", "bravo"]).await.assert_status(0);
    env.tenantry(&["tenant", "retire", "charlie", "--confirm", "charlie"]).await.assert_status(0);
    upgrade(&env, &["--manual"]).await.assert_status(6);
    let create = ["tenant", "create", "late", "--blueprint", "shop@1.0"];
    env.tenantry(&create).await.assert_status(0);
    env.tenantry(&["tenant", "retire", "bravo", "--confirm", "bravo"]).await.assert_status(0);
    env.tenantry(&["upgrade", "resume"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(1);
    assert_eq!(versions(&env).await, ["alpha 1.1", "bravo 1.0", "charlie 1.0", "late 1.1"]);
    let failures = env.tenantry(&["upgrade", "failures", "--json"]).await.assert_status(0).json();
    assert_eq!(failures["units"][0]["slug"], "bravo", "{failures}");
    assert!(failures["units"][0]["reason"].as_str().unwrap().contains("being retired"), "{failures}");
}

#[tokio::test]
async fn a_selection_holds_and_the_same_key_is_the_same_upgrade() {
    let env = Env::new().await;
    env.add_blueprint(first(&env).path()).await;
    for (slug, tier) in [("alpha", "gold"), ("bravo", "free"), ("charlie", "gold")] {
        let label = format!("tier={tier}");
        let create = ["tenant", "create", slug, "--blueprint", "shop", "--label", &label];
        env.tenantry(&create).await.assert_status(0);
    }
    env.add_blueprint(second(&env).path()).await;
    let gold = ["--label", "tier=gold", "--idempotency-key", "release-7"];
    let done = upgrade(&env, &gold).await.assert_status(0).json();
    assert_eq!(versions(&env).await, ["alpha 1.1", "bravo 1.0", "charlie 1.1"]);
    let again = upgrade(&env, &gold).await.assert_status(0).json();
    assert_eq!(again["upgrade"]["id"], done["upgrade"]["id"]);
    let other = ["--label", "tier=free", "--idempotency-key", "release-7"];
    upgrade(&env, &other).await.assert_status(5).assert_says(&["was used for another request"]);
    upgrade(&env, &["--tenant", "bravo"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 3);
    for (wrong, says) in [
        (["--stop-after", "x"], "may be a number"),
        (["--target", "moon"], "there is no target"),
        (["--pilot", "0"], "may be 1 to"),
    ] {
        let refused = upgrade(&env, &wrong).await;
        assert_ne!(refused.status, 0);
        refused.assert_says(&[says]);
    }
}

#[tokio::test]
async fn another_daemon_goes_on_where_a_killed_one_stopped_and_does_nothing_twice() {
    let mut env = Env::new().await;
    let slugs: Vec<String> = (0..12).map(|number| format!("shop-{number:02}")).collect();
    shops(&env, &slugs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    upgrade(&env, &["--no-wait", "--width", "2"]).await.assert_status(0);
    eventually("some are done", async || (upgraded(&env).await >= 3).then_some(())).await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 12);
    let twice = "select count(*) from (select from tenantry.migration_history where file = 'V2__price.sql'
                 group by placement having count(*) > 1) t";
    let twice: i64 = sqlx::query_scalar(twice).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(twice, 0);
}

#[tokio::test]
async fn a_tenant_that_is_known_to_have_drifted_is_skipped_unless_that_is_accepted() {
    let env = Env::new().await;
    shops(&env, &SEVEN[..2]).await;
    let placement = env.tenant("alpha").await.tenant.placement;
    env.cluster.execute(&env.target_db, format!("create index by_hand on {placement}.items (name)")).await;
    env.tenantry(&["tenant", "verify", "alpha"]).await.assert_status(0);
    eventually("the drift is known", async || {
        let known = "select drifted_since is not null from control.tenant where slug = 'alpha'";
        let known: bool = sqlx::query_scalar(known).fetch_one(&mut env.control().await).await.unwrap();
        known.then_some(())
    })
    .await;
    let partial = upgrade(&env, &[]).await.assert_status(1);
    assert!(partial.stdout.contains("skipped"), "{partial}");
    assert_eq!(versions(&env).await, ["alpha 1.0", "bravo 1.1"]);
    upgrade(&env, &["--accept-drift"]).await.assert_status(0);
    assert_eq!(versions(&env).await, ["alpha 1.1", "bravo 1.1"]);
}

#[tokio::test]
async fn a_target_that_is_down_holds_up_only_its_own_tenants_and_is_named() {
    let mut env = Env::new().await;
    shops(&env, &SEVEN).await;
    let url = "postgres://provisioner@127.0.0.1:1/nothing".to_owned();
    env.write_config("", &[("local", env.target_url()), ("down", url)]);
    env.take_daemon().kill().await;
    env.start_daemon().await;
    let moved = "update control.tenant set target = 'down' where slug in ('bravo', 'golf')";
    sqlx::query(moved).execute(&mut env.control().await).await.unwrap();
    let paused = upgrade(&env, &["--wave", "20"]).await.assert_status(6).json();
    assert_eq!(paused["upgrade"]["state"]["by"], "target", "{paused}");
    assert!(paused["upgrade"]["state"]["reason"].as_str().unwrap().starts_with("down cannot"), "{paused}");
    assert_eq!((upgraded(&env).await, paused["upgrade"]["counts"]["failed"].as_u64()), (5, Some(0)));
    let back = "update control.tenant set target = 'local' where target = 'down'";
    sqlx::query(back).execute(&mut env.control().await).await.unwrap();
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    upgrade(&env, &[]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 7);
}

#[tokio::test]
async fn what_takes_something_away_waits_for_every_tenant_and_for_its_soak() {
    let env = Env::new().await;
    shops(&env, &SEVEN[..2]).await;
    let last = second_again(&env, "2.0")
        .migration("less", "alter table items drop column name cascade;")
        .repeatable("names", "create or replace view names as select price from items;");
    let last = last.contract("1.1", Some("7d"));
    env.add_blueprint(last.path()).await;
    let early = env.tenantry(&["blueprint", "upgrade", "shop@2.0", "--plan"]).await.assert_status(1);
    assert!(early.stdout.contains("upgrade to 1.1 first"), "{early}");
    env.tenantry(&["blueprint", "upgrade", "shop@1.1"]).await.assert_status(0);
    let young = env.tenantry(&["blueprint", "upgrade", "shop@2.0"]).await.assert_status(5);
    young.assert_says(&["for too short a time", "7 days"]);
    let aged = "update control.tenant set version_since = now() - interval '8 days'";
    sqlx::query(aged).execute(&mut env.control().await).await.unwrap();
    env.tenantry(&["blueprint", "upgrade", "shop@2.0"]).await.assert_status(0);
    assert_eq!(versions(&env).await, ["alpha 2.0", "bravo 2.0"]);
}

/// Cancels the upgrade, if it is open, and returns the version that `acme` has.
pub(super) async fn cancel_open(env: &Env) -> String {
    env.tenantry(&["upgrade", "cancel"]).await;
    env.tenant("acme").await.tenant.version.to_string()
}
