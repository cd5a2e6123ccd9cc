//! How a tenant leaves a pool: its rows are counted, archived and removed, and no other tenant's.

use std::path::Path;

use serde_json::Value;
use sqlx::Connection as _;
use tenantry_harness::binaries::server_bin;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, Version, cli, eventually, rpc};
use tenantry_protocol::tenant::{RollbackPreviewRequest, RowCount};
use tokio::process::Command;

use super::{SEEDED, count, picture, pool, refused, seeded, seen, value};

#[tokio::test]
async fn one_that_leaves_takes_its_rows_and_leaves_the_others_theirs() {
    leaves(&Env::new().await).await;
}

#[tokio::test]
async fn one_that_leaves_takes_its_rows_and_leaves_the_others_theirs_on_postgresql_18() {
    leaves(&Env::on(Cluster::private(Version::V18)).await).await;
}

async fn leaves(env: &Env) {
    let (one, two) = (seeded(env, "one").await, seeded(env, "two").await);
    let request = RollbackPreviewRequest { slug: "one".into() };
    let preview = env.rpc().await.rollback_preview(rpc::context(), request).await.unwrap().unwrap();
    assert_eq!(preview.rows, RowCount::Exact { rows: SEEDED.unsigned_abs() });
    assert_eq!((preview.tables, preview.size_bytes), (0, None), "the tables stay");
    assert_eq!(preview.pool.map(|pool| pool.to_string()), Some(pool(env).await));
    let before = picture(env, &two).await;
    env.rollback("one").await;
    env.assert_clean_slate(&one.tenant.placement).await;
    assert_eq!((count(env, &one).await, count(env, &two).await), (0, SEEDED));
    assert_eq!(picture(env, &two).await, before);
    env.rollback("two").await;
    env.assert_clean_slate(&two.tenant.placement).await;
    let left = "select string_agg(role, ',') from tenantry.pool_member where placement <> pool";
    assert_eq!(seen(env, left.into()).await, "", "nobody is in the pool");
    let again = seeded(env, "one").await;
    assert_eq!(count(env, &again).await, SEEDED, "the pool stayed for the next one");
}

#[tokio::test]
async fn an_archive_has_the_rows_of_its_tenant_and_no_others() {
    let env = Env::new().await;
    let (one, two) = (seeded(&env, "one").await, seeded(&env, "two").await);
    let pool = pool(&env).await;
    let rollback = ["tenant", "rollback", "one", "--confirm", "one", "--json"];
    let removed: Value = env.tenantry(&rollback).await.assert_status(0).json();
    env.assert_clean_slate(&one.tenant.placement).await;
    let archive = &removed["archive"];
    assert_eq!((&archive["tables"], &archive["rows"]), (&13.into(), &SEEDED.into()), "{removed}");
    let database = format!("restored_{}", env.cluster.next_number());
    env.cluster.execute("postgres", format!("create database {database} template template0")).await;
    // The archive refers to objects that every daemon makes on its target.
    let context = "create schema tenantry; create table tenantry.pool_member (role name, tenant_id uuid, is_open boolean); create schema tenantry_ext;
                   create function tenantry_ext.tenantry_tenant() returns uuid language sql as 'select null::uuid';
                   create function tenantry_ext.tenantry_removing() returns boolean language sql as 'select false'";
    env.cluster.execute(&database, context.into()).await;
    let mut restore = Command::new(server_bin(Version::Packaged).join("pg_restore"));
    restore
        .args([
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--username",
            "harness",
            "--dbname",
            &database,
            "--host",
        ])
        .arg(env.cluster.socket_dir())
        .arg(Path::new(archive["path"].as_str().unwrap()));
    cli::run(restore).await.assert_status(0);
    let mut restored = env.cluster.superuser(&database).await;
    let whose = format!(
        "select distinct tenant_id::text from {pool}.entries union select distinct tenant_id::text from {pool}.customers"
    );
    let whose: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(whose)).fetch_all(&mut restored).await.unwrap();
    restored.close().await.unwrap();
    env.cluster.execute("postgres", format!("drop database {database} with (force)")).await;
    assert_eq!(whose, [one.tenant.id.to_string()]);
    assert_eq!(count(&env, &two).await, SEEDED);
}

/// Rows that refer to each other in a circle and to their own table, more of them than fit in one transaction.
const KNOT: &str = "
    create table a (tenant_id uuid not null, id int not null, b_id int, parent_id int, primary key (tenant_id, id),
        foreign key (tenant_id, parent_id) references a (tenant_id, id) on delete restrict);
    create table b (tenant_id uuid not null, id int not null, a_id int, primary key (tenant_id, id),
        foreign key (tenant_id, a_id) references a (tenant_id, id));
    alter table a add foreign key (tenant_id, b_id) references b (tenant_id, id) deferrable initially deferred;
    create table c (tenant_id uuid not null, id int not null, primary key (tenant_id, id)) partition by range (id);
    create table c_low partition of c for values from (0) to (9000);
    create table c_high partition of c default;
    create function stay() returns trigger language plpgsql set search_path from current as $$
        begin if tenantry_removing() then return old; end if; raise exception 'it stays'; end $$;
    create trigger stay before delete on c for each row execute function stay();";
const KNOT_ROWS: &str = "
    insert into a (id, b_id, parent_id) select n, n, nullif(n - 1, 0) from generate_series(1, 50) n;
    insert into b (id, a_id) select n, n from generate_series(1, 50) n;
    insert into c (id) select generate_series(1, 12000);";

#[tokio::test]
async fn rows_that_refer_to_each_other_go_too_and_many_go_in_batches() {
    let env = Env::new().await;
    let folder = Folder::shared(&env.dir, "knot", "1.0").migration("knot", KNOT).seed(KNOT_ROWS);
    env.add_blueprint(folder.path()).await;
    let create = |slug: &'static str| ["tenant", "create", slug, "--blueprint", "knot", "--seed", "--json"];
    let one = Provisioned::from(&env.tenantry(&create("one")).await.assert_status(0).json());
    let two = Provisioned::from(&env.tenantry(&create("two")).await.assert_status(0).json());
    refused(&env, &one.credentials, "delete from c", &["it stays"]).await;
    // A partition queried on its own has no other rows either.
    assert_eq!(
        value(&env, &one.credentials, "select count(distinct tenant_id) || ' ' || count(*) from c_high")
            .await,
        "1 3001"
    );
    env.tenantry(&["tenant", "rollback", "one", "--confirm", "one"]).await.assert_status(0);
    env.assert_clean_slate(&one.tenant.placement).await;
    let pool = pool(&env).await;
    let left = format!("select count(*)::text from {pool}.c where tenant_id = '{}'", one.tenant.id);
    assert_eq!(seen(&env, left).await, "0");
    assert_eq!(value(&env, &two.credentials, "select count(*) from c").await, "12000");
}

#[tokio::test]
async fn a_trigger_that_holds_rows_back_leaves_a_person_with_its_words_and_a_way_on() {
    let env = Env::new().await;
    let stay = "create table c (tenant_id uuid not null, id int not null, primary key (tenant_id, id));
                create function stay() returns trigger language plpgsql as $$ begin raise exception 'it stays'; end $$;
                create trigger stay before delete on c for each row execute function stay();";
    let folder = Folder::shared(&env.dir, "stay", "1.0")
        .migration("stay", stay)
        .seed("insert into c (id) values (1);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "one", "--blueprint", "stay", "--seed", "--json"];
    let one = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    let rollback = ["tenant", "rollback", "one", "--confirm", "one", "--discard-data", "--json"];
    let stuck: Value = env.tenantry(&rollback).await.assert_status(6).json();
    assert!(stuck.to_string().contains("it stays"), "{stuck}");
    let pool = pool(&env).await;
    env.cluster.execute(&env.target_db, format!("drop trigger stay on {pool}.c")).await;
    env.tenantry(&["operation", "retry", stuck["operation"]["id"].as_str().unwrap()]).await.assert_status(0);
    env.assert_clean_slate(&one.tenant.placement).await;
}

#[tokio::test]
async fn one_that_is_suspended_has_no_rows_for_anybody_until_it_is_resumed() {
    let env = Env::new().await;
    let made = seeded(&env, "one").await;
    let (app, pool) = (format!("{}_app", made.tenant.placement), pool(&env).await);
    // One of the application's own logins, which the daemon knows nothing about.
    let mut pooled = env.target().await;
    let ask = format!("begin; set local role {app}; select count(*)::text from {pool}.entries");
    let mut seen_by_app = async || {
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(ask.clone())).fetch_one(&mut pooled).await.unwrap();
        sqlx::raw_sql("rollback").execute(&mut pooled).await.unwrap();
        sqlx::Row::get::<String, _>(&rows, 0)
    };
    assert_eq!(seen_by_app().await, "34");
    env.tenantry(&["tenant", "suspend", "one"]).await.assert_status(0);
    assert_eq!(seen_by_app().await, "0");
    env.tenantry(&["tenant", "resume", "one"]).await.assert_status(0);
    assert_eq!(seen_by_app().await, "34");
    assert_eq!(value(&env, &made.credentials, "select count(*) from entries").await, "34");
}

#[tokio::test]
async fn who_became_the_tenant_and_still_writes_is_waited_for_and_other_tenants_are_not() {
    let env = Env::new().await;
    let (one, two) = (seeded(&env, "one").await, seeded(&env, "two").await);
    let pool = pool(&env).await;
    let write = |who: &Provisioned| {
        format!(
            "begin; set local role {}_app; set local search_path = {pool}, tenantry_ext;
             insert into currencies (code, name) values ('CHF', 'Franc')",
            who.tenant.placement
        )
    };
    // The neighbour's own login blocks nobody.
    let mut neighbour = env.cluster.options(&env.target_db).username(&two.credentials.role);
    neighbour = neighbour.password(two.credentials.password.as_deref().unwrap());
    let mut neighbour = sqlx::ConnectOptions::connect(&neighbour).await.unwrap();
    sqlx::raw_sql("begin; insert into currencies (code, name) values ('CHF', 'Franc')")
        .execute(&mut neighbour)
        .await
        .unwrap();
    let mut pooled = env.target().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(write(&one))).execute(&mut pooled).await.unwrap();
    let rollback = ["tenant", "rollback", "one", "--confirm", "one", "--discard-data"];
    let (removed, ()) = tokio::join!(env.tenantry(&rollback), async {
        eventually("the tenant's roles are closed", async || {
            let closed = "select bool_or(not is_open)::text from tenantry.pool_member";
            (seen(&env, closed.to_owned()).await == "true").then_some(())
        })
        .await;
        sqlx::raw_sql("commit").execute(&mut pooled).await.unwrap();
    });
    removed.assert_status(0);
    assert_eq!(count(&env, &one).await, 0, "what it wrote at the last moment is gone too");
    sqlx::raw_sql("commit").execute(&mut neighbour).await.unwrap();
    assert_eq!(count(&env, &two).await, SEEDED + 1);
}

#[tokio::test]
async fn one_that_retires_can_be_taken_back_and_is_purged_when_its_grace_is_over() {
    let env = Env::new().await;
    let (one, two) = (seeded(&env, "one").await, seeded(&env, "two").await);
    env.tenantry(&["tenant", "retire", "one", "--confirm", "one", "--grace", "30d"]).await.assert_status(0);
    assert_eq!(count(&env, &one).await, SEEDED, "its rows are there until the end");
    env.tenantry(&["tenant", "resume", "one"]).await.assert_status(0);
    assert_eq!(value(&env, &one.credentials, "select count(*) from entries").await, "34");
    env.tenantry(&["tenant", "retire", "one", "--confirm", "one", "--grace", "1s"]).await.assert_status(0);
    eventually("it is purged", async || {
        (env.tenant("one").await.tenant.state.name() == "retired").then_some(())
    })
    .await;
    env.assert_clean_slate(&one.tenant.placement).await;
    assert_eq!((count(&env, &one).await, count(&env, &two).await), (0, SEEDED));
}
