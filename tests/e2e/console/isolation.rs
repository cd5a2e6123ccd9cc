//! Isolation in the console, in a pseudo terminal: verified by key, read as a report, and shown at a glance for all tenants.

use sqlx::AssertSqlSafe;
use tenantry_harness::Env;
use tenantry_protocol::name::PlacementName;

use crate::console::screens::{ENTER, ESCAPE, Keys};

/// A hole of the kind that an administrator makes in a hurry.
async fn open_to_everybody(env: &Env, placement: &PlacementName) {
    let sql = format!("grant select on all tables in schema {placement} to public");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut env.target().await).await.unwrap();
}

/// The grade in the row of the tenant.
fn grade_of(screen: &str, slug: &str) -> Option<String> {
    let row = screen.lines().find(|line| line.contains(slug) && line.contains("projects"))?;
    row.split_whitespace().find(|word| matches!(*word, "A" | "B" | "F")).map(str::to_owned)
}

#[tokio::test]
async fn a_tenant_is_verified_by_key_and_its_report_names_what_is_wrong() {
    let env = Env::new().await;
    let acme = env.provision("acme").await.tenant.placement;
    env.provision("globex").await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("globex");
    keys.press(ENTER, "(core)");
    keys.press("v", "acme: grade");
    let own = keys.console.wait_for_text("(full)");
    assert!(!own.contains("probe") && !own.contains("42501"), "the report is on its own screen\n{own}");
    keys.press("i", "left open by nature");
    keys.press("/", "filter:");
    keys.type_text("catalog_write", "a tenant becomes anybody");
    keys.press(ENTER, "esc clear the filter");
    keys.press("e", "42501: ");
    keys.press(ESCAPE, "probe advisory_lock");
    open_to_everybody(&env, &acme).await;
    keys.press("v", "acme: grade F");
    let wrong = keys.console.wait_for_text("lint foreign_grants: SELECT to PUBLIC");
    assert!(wrong.contains("what is wrong") && wrong.contains(" grade F"), "{wrong}");
    keys.press("y", "sent to your terminal");
    let own = keys.press(ESCAPE, "more: i shows the report");
    assert!(own.contains("✗ lint foreign_grants"), "{own}");
    keys.press(ESCAPE, "globex");
    keys.console.wait_for_screen("the badge", |screen| grade_of(screen, "acme").as_deref() == Some("F"));
}

#[tokio::test]
async fn all_are_verified_in_one_go_and_the_worst_is_first() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let initech = env.provision("initech").await.tenant.placement;
    open_to_everybody(&env, &initech).await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("initech");
    keys.press(":", "command 1 of");
    keys.type_text("verify all", "one after the other");
    keys.press(ENTER, "3 standing");
    let fleet = keys.console.wait_for_text("3 verified: ");
    let first = fleet.lines().find(|line| line.contains("enter: what is wrong"));
    assert!(first.is_some_and(|line| line.contains("initech") && line.contains("full")), "{fleet}");
    assert!(fleet.contains("look at initech"), "{fleet}");
    keys.press(ENTER, "lint foreign_grants");
    keys.press(ESCAPE, "3 standing");
    keys.press(ESCAPE, "LAST OPERATION");
    // With marks, only the marked tenants are verified; the grade is a column to sort by.
    keys.press(" ", "1 marked");
    keys.press(" ", "2 marked");
    keys.press("v", "2 verified");
    for column in ["STATE ▲", "BLUEPRINT ▲", "TARGET ▲", "ISOL▲"] {
        keys.press("s", column);
    }
    let list = keys.console.wait_for_text("ISOL▲");
    let at = |slug: &str| list.lines().position(|line| line.contains(slug) && line.contains("projects"));
    assert!(at("initech") < at("acme"), "{list}");
    env.tenantry(&["tenant", "verify", "--all"]).await.assert_status(6);
}
