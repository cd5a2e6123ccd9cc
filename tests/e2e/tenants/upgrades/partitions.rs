//! Constraints that are validated and partitions that are detached while the tenant uses their tables.

use sqlx::Connection as _;
use tenantry_harness::drift::{ask, lines};
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};
use tenantry_protocol::tenant::drift::DriftState;

const EVENTS: &str = "
    create table events (day date not null, id int not null, kind varchar(10) not null check (id > 0)) partition by range (day);
    create table events_2020 partition of events for values from ('2020-01-01') to ('2021-01-01');
    create table events_2021 partition of events for values from ('2021-01-01') to ('2022-01-01');
    create table kinds (kind varchar(10), id int) partition by list (kind);
    create table kinds_old partition of kinds for values in ('a', 'it''s');
    create table own partition of kinds (check (kind is not null and kind = 'c')) for values in ('c');";

fn events(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "events", version).migration("events", EVENTS)
}

fn detached(env: &Env) -> Folder {
    events(env, "1.1").outside(
        "detach",
        "alter table events detach partition events_2020 concurrently;\n\
         alter table kinds detach partition kinds_old concurrently;\n\
         alter table kinds detach partition own concurrently;",
    )
}

async fn partitions(env: &Env, placement: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text || case when i.inhdetachpending then ' pending' else '' end
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where c.relnamespace = $1::regnamespace order by 1",
    )
    .bind(placement)
    .fetch_all(&mut env.target().await)
    .await
    .unwrap()
}

async fn begin(env: &Env) -> String {
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    begun["operation"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_constraint_is_validated_beside_those_who_write_the_table() {
    let env = Env::new().await;
    let items = "create table items (id int primary key, price int);";
    env.add_blueprint(Folder::new(&env.dir, "shop", "1.0").migration("items", items).path()).await;
    let made = env.provision_of("acme", "shop").await;
    env.psql(&made.credentials, "insert into items select i, i from generate_series(1, 1000) i")
        .await
        .assert_status(0);
    let second = |version: &str| {
        Folder::new(&env.dir, "shop", version)
            .migration("items", items)
            .migration(
                "price",
                "alter table items add constraint priced check (price is not null) not valid;",
            )
            .outside("validate", "alter table items validate constraint priced;")
            .migration("required", "alter table items alter column price set not null;")
    };
    let checked = env.tenantry(&["blueprint", "check", second("1.1").path()]).await.assert_status(0);
    assert!(!checked.stdout.contains("warning["), "{checked}");
    // A row that breaks it, from before.
    env.psql(&made.credentials, "insert into items values (0, null)").await.assert_status(0);
    env.add_blueprint(second("1.2").path()).await;
    let partly = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(6);
    partly.assert_says(&["V3__validate.sql:1", "is violated by some row", "what is left"]);
    env.psql(&made.credentials, "update items set price = 0 where price is null").await.assert_status(0);
    let mut writer = env.log_in(&made.credentials).await;
    let mut writing = writer.begin().await.unwrap();
    sqlx::query("update items set price = 2 where id = 1").execute(&mut *writing).await.unwrap();
    let id = begin(&env).await;
    let mut target = env.target().await;
    eventually("the constraint is valid although somebody writes", async || {
        let valid: bool = sqlx::query_scalar(
            "select convalidated from pg_constraint where conname = 'priced' and connamespace = $1::regnamespace",
        )
        .bind(made.tenant.placement.as_str())
        .fetch_one(&mut target)
        .await
        .unwrap();
        valid.then_some(())
    })
    .await;
    writing.commit().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    env.psql(&made.credentials, "insert into items values (-1, null)")
        .await
        .assert_status(1)
        .assert_says(&["23502"]);
}

#[tokio::test]
async fn a_detachment_that_was_cut_in_the_middle_is_finished_by_the_next_daemon() {
    let mut env = Env::on(Cluster::shared()).await;
    env.add_blueprint(events(&env, "1.0").path()).await;
    let made = env.provision_of("acme", "events").await;
    let placement = made.tenant.placement.as_str().to_owned();
    env.add_blueprint(detached(&env).path()).await;
    let mut reader = env.log_in(&made.credentials).await;
    let mut reading = reader.begin().await.unwrap();
    sqlx::query("select count(*) from events").execute(&mut *reading).await.unwrap();
    let id = begin(&env).await;
    eventually("the detachment waits for the reader", async || {
        partitions(&env, &placement).await.contains(&"events_2020 pending".to_owned()).then_some(())
    })
    .await;
    // Others read and write the table meanwhile.
    env.psql(&made.credentials, "insert into events values ('2021-05-05', 1, 'a')").await.assert_status(0);
    env.take_daemon().kill().await;
    reading.commit().await.unwrap();
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    assert_eq!(partitions(&env, &placement).await, ["events_2021"]);
    env.psql(&made.credentials, "insert into events_2020 values ('2020-05-05', 1, 'a')")
        .await
        .assert_status(0);
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn a_detachment_makes_way_for_those_who_use_the_partition_itself() {
    let env = Env::new().await;
    env.add_blueprint(events(&env, "1.0").path()).await;
    let made = env.provision_of("acme", "events").await;
    let placement = made.tenant.placement.as_str().to_owned();
    env.add_blueprint(detached(&env).path()).await;
    let mut holder = env.log_in(&made.credentials).await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select count(*) from events_2020").execute(&mut *held).await.unwrap();
    let id = begin(&env).await;
    eventually("the detachment waits for the partition", async || {
        partitions(&env, &placement).await.contains(&"events_2020 pending".to_owned()).then_some(())
    })
    .await;
    let mut application = env.log_in(&made.credentials).await;
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_secs(3) {
        let one = std::time::Instant::now();
        sqlx::query("select count(*) from events_2020").execute(&mut application).await.unwrap();
        assert!(one.elapsed() < std::time::Duration::from_secs(2), "a query waited {:?}", one.elapsed());
    }
    held.commit().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    assert_eq!(partitions(&env, &placement).await, ["events_2021"]);
}

/// The server leaves a detached partition a check, and a tenant that is made with the version has the same.
async fn upgraded_and_new_tenants_are_the_same(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    env.add_blueprint(events(&env, "1.0").path()).await;
    env.provision_of("acme", "events").await;
    env.add_blueprint(detached(&env).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    env.provision_of("birch", "events").await;
    let client = env.rpc().await;
    for slug in ["acme", "birch"] {
        let drift = ask(&client, slug).await;
        assert_eq!(lines(&drift), [""; 0], "{slug}: {drift:#?}");
        assert_eq!(drift.state, DriftState::InSync);
    }
}

#[tokio::test]
async fn a_tenant_with_detached_partitions_is_as_a_new_one() {
    upgraded_and_new_tenants_are_the_same(Version::Packaged).await;
}

#[tokio::test]
async fn a_tenant_with_detached_partitions_is_as_a_new_one_on_postgresql_18() {
    upgraded_and_new_tenants_are_the_same(Version::V18).await;
}
