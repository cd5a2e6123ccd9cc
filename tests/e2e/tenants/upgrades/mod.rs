//! A tenant brought to a later version of its blueprint: what runs, what is refused, and who waits meanwhile.

mod back;
mod batched;
mod callbacks;
mod ledger;
mod live;
pub(crate) mod many;
mod partitions;
mod projects;
mod refused;
mod rehearsal;
mod shared;
mod shared_rows;

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, eventually};

/// The first version of a shop.
fn first(env: &Env) -> Folder {
    Folder::new(&env.dir, "shop", "1.0")
        .migration(
            "items",
            "create table items (id bigint generated always as identity primary key, name text);",
        )
        .repeatable("names", "create or replace view names as select name from items;")
}

/// The second: a column with values, another table, and another view.
fn second(env: &Env) -> Folder {
    second_again(env, "1.1")
}

fn second_again(env: &Env, version: &str) -> Folder {
    first_again(env, version)
        .migration(
            "price",
            "alter table items add column price numeric;\nupdate items set price = 1;\ncreate table sales (id int primary key);",
        )
        .repeatable("names", "create or replace view names as select name, price from items;")
}

fn first_again(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "shop", version).migration(
        "items",
        "create table items (id bigint generated always as identity primary key, name text);",
    )
}

async fn shop(folder: Folder, env: &Env) -> Provisioned {
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("acme", "shop").await;
    env.psql(&made.credentials, "insert into items (name) values ('pen'), ('ink')").await.assert_status(0);
    made
}

async fn history(env: &Env, database: &str, placement: &str) -> Vec<String> {
    let mut connection = env.cluster.superuser(database).await;
    let rows = sqlx::query_scalar(
        "select rank || ' ' || file from tenantry.migration_history where placement = $1 order by rank",
    )
    .bind(placement)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    rows
}

#[tokio::test]
async fn a_tenant_gets_the_files_that_it_lacks_and_keeps_its_rows_and_its_secret() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    env.add_blueprint(second(&env).path()).await;
    let upgraded = env.tenantry(&["tenant", "upgrade", "acme", "--json"]).await.assert_status(0).json();
    assert_eq!(upgraded["tenant"]["version"], "1.1");
    assert_eq!(upgraded["operation"]["state"]["name"], "succeeded");
    assert_eq!(upgraded["operation"]["versions"], serde_json::json!({ "from": "1.0", "to": "1.1" }));
    let shown = env.tenantry(&["tenant", "show", "acme"]).await.assert_status(0);
    assert!(shown.stdout.contains("upgrade 1.0→1.1"), "{shown}");
    let priced =
        env.psql(&made.credentials, "select name || price from names order by 1").await.assert_status(0);
    assert_eq!(priced.stdout.trim(), "ink1\npen1");
    env.psql(&made.credentials, "insert into sales values (1)").await.assert_status(0);
    let placement = made.tenant.placement.as_str();
    assert_eq!(
        history(&env, &env.target_db, placement).await,
        ["0 V1__items.sql", "1 R__names.sql", "2 V2__price.sql", "3 R__names.sql"]
    );
    // What is there is not done again.
    let again = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert!(again.stdout.contains("acme has version 1.1 of shop"), "{again}");
    assert_eq!(history(&env, &env.target_db, placement).await.len(), 4);
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
    env.rollback("acme").await;
}

#[tokio::test]
async fn a_tenant_with_a_database_of_its_own_is_upgraded_in_it_and_a_suspended_one_stays_suspended() {
    let env = Env::new().await;
    let made = shop(first(&env).in_databases(), &env).await;
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    env.add_blueprint(second(&env).in_databases().path()).await;
    env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.1"]).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "suspended");
    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    let priced = env.psql(&made.credentials, "select count(price) from items").await.assert_status(0);
    assert_eq!(priced.stdout.trim(), "2");
    let placement = made.tenant.placement.as_str();
    assert_eq!(history(&env, placement, placement).await.len(), 4);
    env.rollback("acme").await;
}

#[tokio::test]
async fn an_index_is_built_beside_the_tenants_work_and_nothing_of_the_login_is_left() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let indexed = first_again(&env, "1.1")
        .migration("price", "alter table items add column price numeric;")
        .outside("index", "create index concurrently items_price on items (price);")
        .migration("cheap", "create view cheap as select * from items where price < 2;")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(indexed.path()).await;
    let mut application = env.log_in(&made.credentials).await;
    let mut reading = application.begin().await.unwrap();
    sqlx::query("select count(*) from items").execute(&mut *reading).await.unwrap();
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    let id = begun["operation"]["id"].as_str().unwrap().to_owned();
    env.psql(&made.credentials, "insert into items (name) values ('ruler')").await.assert_status(0);
    reading.commit().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    let placement = made.tenant.placement.as_str();
    let expected =
        ["0 V1__items.sql", "1 R__names.sql", "2 V2__price.sql", "3 V3__index.sql", "4 V4__cheap.sql"];
    assert_eq!(history(&env, &env.target_db, placement).await, expected);
    let (valid, open): (bool, bool) = sqlx::query_as(
        "select (select indisvalid from pg_index where indexrelid = ($1 || '.items_price')::regclass),
                (select rolcanlogin from pg_roles where rolname = $1)",
    )
    .bind(placement)
    .fetch_one(&mut env.target().await)
    .await
    .unwrap();
    assert!(valid && !open, "the index is valid, and the owner's login closed");
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn new_settings_take_their_defaults_and_the_others_stay() {
    let env = Env::new().await;
    env.add_blueprint(first(&env).setting("connection_limit", 7).path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "shop", "--set", "connection_limit=9"];
    env.tenantry(&create).await.assert_status(0);
    env.add_blueprint(second(&env).setting("connection_limit", 5).setting("seats", 3).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let settings = env.tenant("acme").await.tenant.settings;
    assert_eq!((settings["connection_limit"], settings["seats"]), (9, 3));
}

#[tokio::test]
async fn a_table_that_is_held_is_waited_for_and_nobody_waits_behind_the_upgrade() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    env.add_blueprint(second(&env).path()).await;
    let mut holder = env.log_in(&made.credentials).await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("update items set name = 'pencil' where name = 'pen'").execute(&mut *held).await.unwrap();
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    let id = begun["operation"]["id"].as_str().unwrap().to_owned();
    // It waits for the table from time to time, and then others wait behind it, for a moment.
    let mut application = env.log_in(&made.credentials).await;
    let mut longest = Duration::ZERO;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        let one = Instant::now();
        sqlx::query("select count(*) from items").execute(&mut application).await.unwrap();
        longest = longest.max(one.elapsed());
    }
    assert!(longest < Duration::from_secs(2), "a query waited {longest:?} behind the upgrade");
    assert!(!env.operation(&id).await.state.is_final(), "it still waits for its turn");
    held.commit().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    let rows = env.psql(&made.credentials, "select name from names where price = 1 order by 1").await;
    assert_eq!(rows.assert_status(0).stdout.trim(), "ink\npencil");
}

#[tokio::test]
async fn an_upgrade_that_others_wait_for_makes_way_and_leaves_nothing_when_it_is_cancelled() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let slow = first_again(&env, "1.1")
        .migration("slow", "alter table items add column price numeric;\nselect pg_sleep(30);")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(slow.path()).await;
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    let id = begun["operation"]["id"].as_str().unwrap().to_owned();
    let mut application = env.log_in(&made.credentials).await;
    let mut target = env.target().await;
    eventually("the upgrade holds the table", async || {
        let held: bool = sqlx::query_scalar(
            "select exists (select from pg_locks l join pg_class c on c.oid = l.relation
                            where c.relname = 'items' and l.mode = 'AccessExclusiveLock' and l.granted)",
        )
        .fetch_one(&mut target)
        .await
        .unwrap();
        held.then_some(())
    })
    .await;
    let begin = Instant::now();
    sqlx::query("select count(*) from items").execute(&mut application).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "it made way: {:?}", begin.elapsed());
    env.tenantry(&["operation", "cancel", &id]).await.assert_status(0);
    env.wait_for_operation(&id, "rolled_back").await;
    let detail = env.tenant("acme").await;
    assert_eq!((detail.tenant.state.name(), detail.tenant.version.to_string().as_str()), ("active", "1.0"));
    env.psql(&made.credentials, "select price from items").await.assert_status(1).assert_says(&["42703"]);
}

#[tokio::test]
async fn an_upgrade_whose_daemon_dies_is_taken_up_and_ends_once() {
    let mut env = Env::on(Cluster::shared()).await;
    let made = shop(first(&env), &env).await;
    env.add_blueprint(second(&env).path()).await;
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    let id = begun["operation"]["id"].as_str().unwrap().to_owned();
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.1");
    assert_eq!(history(&env, &env.target_db, made.tenant.placement.as_str()).await.len(), 4);
}

#[tokio::test]
async fn an_upgrade_that_finds_a_table_held_until_its_time_is_over_names_who_held_it() {
    let env = Env::with_config(Cluster::shared(), "[limits]\noperation_budget_ms = 4000\n").await;
    let made = shop(first(&env), &env).await;
    env.add_blueprint(second(&env).path()).await;
    let mut holder = env.log_in(&made.credentials).await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select count(*) from items").execute(&mut *held).await.unwrap();
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["V2__price.sql", "waited for process", &made.credentials.role, "quieter time"]);
    held.commit().await.unwrap();
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
}
