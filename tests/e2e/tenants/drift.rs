//! Drift: a tenant is told from a new one of its version, by every object that differs, and by no other.

use tenantry_harness::drift::planted::{PLANTED, PLANTED_IN_A_POOL, Plant};
use tenantry_harness::drift::{Named, ask, fresh_in, furnish, installation, lines};
use tenantry_harness::{Cluster, Env, Folder, Output, Version};
use tenantry_protocol::tenant::drift::DriftState;

#[track_caller]
fn assert_prints(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(output.stdout.contains(text), "'{text}' is not printed\n{output}");
    }
}

/// Every third change; `make upgrade-proof` plants all of them, on both servers.
fn some() -> Vec<Plant> {
    PLANTED.concat().into_iter().step_by(3).collect()
}

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
    named.plant_all(&env, "kinds", &some()).await;
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
        .contract("1.0", None)
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

#[tokio::test]
async fn each_change_in_a_database_of_its_own_is_named_on_postgresql_18() {
    let env = installation(Version::V18).await;
    let mut named = Named::default();
    named.plant_all(&env, "kinds-in-databases", &some()).await;
    assert!(named.missed.is_empty(), "{} of {}:\n{}", named.named, named.total, named.missed.join("\n\n"));
    let fresh = fresh_in(&env, 1).await;
    assert!(fresh.findings.is_empty(), "{:#?}", fresh.findings);
}

/// Everything that a comparison must not leave behind.
const LEFT: &str = "select concat_ws(' ', (select count(*) from pg_roles), (select count(*) from pg_namespace where nspname !~ '^pg_'),
    (select count(*) from tenantry.placement), (select count(*) from tenantry.pool), (select count(*) from tenantry.migration_history))";

#[tokio::test]
async fn the_first_comparison_of_a_version_leaves_nothing_on_the_target() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    furnish(&env).await;
    let client = env.rpc().await;
    for blueprint in ["projects", "ledger", "kinds", "kinds-in-databases"] {
        env.provision_of(blueprint, blueprint).await;
        let before: String = sqlx::query_scalar(LEFT).fetch_one(&mut env.target().await).await.unwrap();
        assert_eq!(ask(&client, blueprint).await.state, DriftState::InSync);
        let after: String = sqlx::query_scalar(LEFT).fetch_one(&mut env.target().await).await.unwrap();
        assert_eq!(after, before, "{blueprint}");
    }
}

#[tokio::test]
async fn nothing_of_the_tenants_runs_when_it_is_compared() {
    let env = Env::new().await;
    let traps = "create function trap(text) returns text language plpgsql immutable as
                     $$ begin if pg_trigger_depth() < 1 then raise exception 'it ran'; end if; return $1; end $$;
                 create table bait (a text default trap('a'), b text, constraint trapped check (trap(a) <> ''));
                 create index bait_trap on bait (trap(b));
                 create view lure as select trap(a) as a from bait;
                 create domain snare as text check (trap(value) <> '');
                 create policy caught on bait using (trap(a) = b);";
    env.add_blueprint(Folder::new(&env.dir, "traps", "1.0").migration("traps", traps).path()).await;
    env.provision_of("acme", "traps").await;
    let drift = ask(&env.rpc().await, "acme").await;
    assert_eq!((lines(&drift), drift.state), (Vec::new(), DriftState::InSync));
}

#[tokio::test]
async fn what_cannot_be_built_again_is_unknown_and_says_why() {
    let env = Env::new().await;
    env.provision("warm").await;
    let help = "create function tenantry_ext.help_drift() returns integer language sql as 'select 1'";
    env.cluster.execute(&env.target_db, help.to_owned()).await;
    let folder = Folder::new(&env.dir, "helped", "1.0")
        .migration("helped", "create table one as select tenantry_ext.help_drift() as n;");
    env.add_blueprint(folder.path()).await;
    env.provision_of("acme", "helped").await;
    env.cluster.execute(&env.target_db, "drop function tenantry_ext.help_drift()".to_owned()).await;
    let told = env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(6);
    assert_prints(&told, &["unknown", "V1__helped.sql", "help_drift"]);
    let all = env.tenantry(&["tenant", "drift", "--all", "--json"]).await.assert_status(6).json();
    assert_eq!((&all["total"], &all["drifted"], &all["unknown"]), (&2.into(), &0.into(), &1.into()));
}

#[tokio::test]
async fn a_verification_tells_of_drift_once_and_is_not_failed_by_it() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let column = format!("alter table {}.tasks add column by_hand text", made.tenant.placement);
    env.cluster.execute(&env.target_db, column.clone()).await;
    for _ in 0..2 {
        env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
        let found = env.tenantry(&["audit", "list", "--action", "drift.found", "--json"]).await.json();
        let events = found["events"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{found:#}");
        assert_eq!(events[0]["detail"], "+ column tasks.by_hand");
    }
    let told = env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(1);
    assert_prints(
        &told,
        &["+ column tasks.by_hand", "drop column by_hand;", &made.tenant.placement.to_string()],
    );
    let all = env.tenantry(&["tenant", "drift", "--all", "--target", "local"]).await.assert_status(1);
    assert_prints(
        &all,
        &["acme: 1 difference, first + column tasks.by_hand", "1 tenant compared: 1 drifted"],
    );
    let elsewhere = env.tenantry(&["tenant", "drift", "--all", "--target", "other"]).await.assert_status(0);
    assert_prints(&elsewhere, &["0 tenants compared"]);
}
