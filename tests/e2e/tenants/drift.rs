//! Drift: a tenant is told from a new one of its version, by every object that differs, and by no other.

use tenantry_harness::drift::planted::{PLANTED, PLANTED_IN_A_POOL};
use tenantry_harness::drift::{Named, ask, furnish, lines};
use tenantry_harness::{Env, Folder};
use tenantry_protocol::drift::DriftState;

#[tokio::test]
async fn a_new_tenant_of_each_tenancy_has_not_drifted() {
    let env = Env::new().await;
    furnish(&env).await;
    let client = env.rpc().await;
    for blueprint in ["projects", "ledger", "kinds", "kinds-in-databases"] {
        let slug = format!("new-{blueprint}");
        env.provision_of(&slug, blueprint).await;
        let drift = ask(&client, &slug).await;
        assert_eq!(lines(&drift), [""; 0], "{blueprint}: {drift:#?}");
        assert_eq!(drift.state, DriftState::InSync);
        assert!(drift.objects > 50, "{blueprint} has only {} objects", drift.objects);
    }
    let told = env.tenantry(&["tenant", "drift", "--all"]).await.assert_status(0);
    assert!(told.stdout.contains("4 tenants compared: 0 drifted, 0 unknown"), "{told}");
}

#[tokio::test]
async fn each_change_by_hand_is_named_alone_and_its_repair_repairs_it() {
    let env = Env::new().await;
    furnish(&env).await;
    let mut named = Named::default();
    named.plant_all(&env, "kinds", &PLANTED.concat()).await;
    assert!(named.total >= 40);
    assert!(named.missed.is_empty(), "{} of {}:\n{}", named.named, named.total, named.missed.join("\n\n"));
}

#[tokio::test]
async fn a_changed_pool_is_the_drift_of_each_of_its_tenants() {
    let env = Env::new().await;
    env.provision_of("globex", "ledger").await;
    let mut named = Named::default();
    named.plant_all(&env, "ledger", PLANTED_IN_A_POOL).await;
    assert!(named.missed.is_empty(), "{} of {}:\n{}", named.named, named.total, named.missed.join("\n\n"));
    let client = env.rpc().await;
    assert_eq!(ask(&client, "globex").await.state, DriftState::InSync);
}

#[tokio::test]
async fn an_upgraded_tenant_is_as_a_new_one_of_that_version() {
    let env = Env::new().await;
    let items =
        "create table items (id bigint generated always as identity primary key, name text, old text);";
    let first = Folder::new(&env.dir, "shop", "1.0")
        .migration("items", items)
        .repeatable("names", "create or replace view names as select name from items;");
    let second = Folder::new(&env.dir, "shop", "1.1")
        .migration("items", items)
        .migration("price", "alter table items drop column old;\nalter table items add column price numeric not null default 1;")
        .outside("index", "create index concurrently items_price on items (price);")
        .migration("cheap", "create view cheap as select * from items where price < 2;")
        .repeatable("names", "create or replace view names as select name, price from items;");
    env.add_blueprint(first.path()).await;
    env.provision_of("acme", "shop").await;
    let client = env.rpc().await;
    assert_eq!(ask(&client, "acme").await.state, DriftState::InSync);
    env.add_blueprint(second.path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let drift = ask(&client, "acme").await;
    assert_eq!(lines(&drift), [""; 0], "{drift:#?}");
    assert_eq!(drift.baseline.unwrap().version.to_string(), "1.1");
}
