//! Tenants with a database of their own: made, used, changed and removed as completely as those with a schema.

mod preparation;

use futures::future::join_all;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use tenantry_harness::catalog::Snapshot;
use tenantry_harness::{Cluster, Env, Folder, Output, Provisioned, Version, eventually};
use tenantry_protocol::operation::StepStatus;
use tenantry_protocol::tenant::Credentials;

const PROJECTS: &str = "projects-in-databases";

/// On a server of its own, so that no other test's databases come and go meanwhile.
async fn environment(version: Version) -> Env {
    let env = Env::on(Cluster::private(version)).await;
    env.add_blueprint(Folder::projects_in_databases(&env.dir).path()).await;
    env
}

/// The same login in another database.
async fn psql_in(env: &Env, login: &Credentials, database: &str, sql: &str) -> Output {
    let login = Credentials { database: database.to_owned(), ..login.clone() };
    env.psql(&login, sql).await
}

async fn create(env: &Env, slug: &str, arguments: &[&str]) -> Provisioned {
    let create = [&["tenant", "create", slug, "--blueprint", PROJECTS, "--json"], arguments].concat();
    Provisioned::from(&env.tenantry(&create).await.assert_status(0).json())
}

/// The database that tenants' databases are made from.
async fn template(env: &Env) -> String {
    let mut target = env.target().await;
    let name = "select datname::text from pg_database where datname like 'tenantry\\_template\\_%'";
    let name = sqlx::query_scalar(name).fetch_one(&mut target).await.unwrap();
    target.close().await.unwrap();
    name
}

async fn a_tenant_lives_in_its_own_database_and_goes_with_it(version: Version) {
    let env = environment(version).await;
    // The first tenant makes the template and the canary, which stay.
    create(&env, "first", &[]).await;
    let before = Snapshot::take(&env).await;
    let made = create(&env, "acme", &["--seed"]).await;
    let (placement, login) = (&made.tenant.placement, &made.credentials);
    assert_eq!(login.database, placement.as_str(), "the answer names the tenant's own database");
    let count =
        env.psql(login, "select count(*) > 0 from tasks; insert into labels (name) values ('new')").await;
    assert_eq!(count.assert_status(0).stdout.trim(), "t");

    let other = env.tenant("first").await.tenant.placement;
    let template = format!("select datname from pg_database where datname like '{}'", "tenantry_template_%");
    let template: String =
        sqlx::query_scalar(sqlx::AssertSqlSafe(template)).fetch_one(&mut env.target().await).await.unwrap();
    for database in [env.target_db.as_str(), &env.control_db, other.as_str(), &template] {
        psql_in(&env, login, database, "select 1").await.assert_status(2).assert_says(&["permission denied"]);
    }
    for (attack, says) in [
        ("create table mine (id int)", "42501"),
        ("create schema mine", "42501"),
        ("create temporary table mine (id int)", "42501"),
        ("select * from tenantry.placement", "42501"),
    ] {
        env.psql(login, attack).await.assert_status(1).assert_says(&[says]);
    }
    let drop = format!("drop database {placement}");
    env.psql(login, &drop).await.assert_status(1).assert_says(&["must be owner"]);

    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    env.psql(login, "select 1").await.assert_status(2).assert_says(&["not permitted to log in"]);
    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    env.psql(login, "select 1").await.assert_status(0);

    let rotate = ["tenant", "credentials", "acme", "rotate", "--json"];
    let rotated: Value = env.tenantry(&rotate).await.assert_status(0).json();
    let rotated: Credentials = serde_json::from_value(rotated["credentials"].clone()).unwrap();
    assert_eq!((rotated.database.as_str(), rotated.role == login.role), (placement.as_str(), false));
    env.psql(&rotated, "select count(*) from labels").await.assert_status(0);
    env.tenantry(&["tenant", "credentials", "acme", "finish"]).await.assert_status(0);
    env.psql(login, "select 1").await.assert_status(2);

    env.rollback("acme").await;
    env.assert_clean_slate(placement).await;
    let left = before.difference(&Snapshot::take(&env).await);
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test]
async fn a_tenant_lives_in_its_own_database_and_goes_with_it_on_the_packaged_postgresql() {
    a_tenant_lives_in_its_own_database_and_goes_with_it(Version::Packaged).await;
}

#[tokio::test]
async fn a_tenant_lives_in_its_own_database_and_goes_with_it_on_postgresql_18() {
    a_tenant_lives_in_its_own_database_and_goes_with_it(Version::V18).await;
}

#[tokio::test]
async fn its_archive_holds_what_it_had_and_its_preview_says_so_before() {
    let env = environment(Version::Packaged).await;
    let made = create(&env, "acme", &["--seed"]).await;
    let counts = "select count(*) from tasks";
    let tasks = env.psql(&made.credentials, counts).await.assert_status(0).stdout.trim().to_owned();
    let preview: Value =
        env.tenantry(&["rpc", "rollback_preview", r#"{"slug":"acme"}"#]).await.assert_status(0).json();
    assert!(preview["tables"].as_u64() > Some(10), "{preview}");
    assert_eq!(preview["rows"]["kind"], "exact", "{preview}");
    // One session works in it, and another one looks on.
    let options = env.cluster.options(made.tenant.placement.as_str());
    let password = made.credentials.password.as_deref().unwrap();
    let mut busy = options.username(&made.credentials.role).password(password).connect().await.unwrap();
    sqlx::raw_sql("begin; lock table tasks in access share mode").execute(&mut busy).await.unwrap();
    let rollback = ["tenant", "rollback", "acme", "--confirm", "acme"];
    env.tenantry(&rollback).await.assert_status(0);
    assert!(busy.ping().await.is_err(), "its session was ended");
    env.assert_clean_slate(&made.tenant.placement).await;

    let archives = std::fs::read_dir(env.dir.join("state/archives")).unwrap();
    let archive = archives.map(|entry| entry.unwrap().path()).next().expect("an archive");
    let restored = format!("restored_{}", env.cluster.next_number());
    env.cluster.execute("postgres", format!("create database {restored} template template0")).await;
    let mut restore = tokio::process::Command::new("pg_restore");
    restore.args(["--no-owner", "--no-privileges", "--username", "harness", "--dbname", &restored]);
    restore.arg("--host").arg(env.cluster.socket_dir()).arg(archive);
    tenantry_harness::cli::run(restore).await.assert_status(0);
    let mut there = env.cluster.superuser(&restored).await;
    let count = format!("select count(*)::text from {}.tasks", made.tenant.placement);
    let restored: String =
        sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut there).await.unwrap();
    assert_eq!(restored, tasks);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_no_database_and_no_role() {
    let env = environment(Version::Packaged).await;
    create(&env, "first", &[]).await;
    let folder = Folder::new(&env.dir, "broken", "1.0")
        .migration("good", "create table one (id bigint primary key);")
        .migration("bad", "create table two (id bigint primary key references nothing);")
        .in_databases();
    env.add_blueprint(folder.path()).await;
    let before = Snapshot::take(&env).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "broken", "--json"]).await;
    output.assert_status(1).assert_says(&["V2__bad.sql:1", "42P01", "nothing is left"]);
    env.assert_clean_slate(&env.tenant("acme").await.tenant.placement).await;
    let left = before.difference(&Snapshot::take(&env).await);
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test]
async fn eight_at_once_are_all_made_and_all_removed() {
    let env = environment(Version::Packaged).await;
    // Nothing is prepared yet: all eight of them need the template at once.
    let names: Vec<String> = (0..8).map(|number| format!("crowd-{number}")).collect();
    let made = join_all(names.iter().map(|name| create(&env, name, &[]))).await;
    for made in &made {
        let own = "select count(*) from users; select current_database()";
        let output = env.psql(&made.credentials, own).await.assert_status(0);
        assert!(output.stdout.contains(made.tenant.placement.as_str()), "{output}");
    }
    let neighbour = made[1].tenant.placement.as_str();
    psql_in(&env, &made[0].credentials, neighbour, "select 1").await.assert_says(&["permission denied"]);
    join_all(names.iter().map(|name| env.rollback(name))).await;
    for made in &made {
        env.assert_clean_slate(&made.tenant.placement).await;
    }
}

#[tokio::test]
async fn files_outside_the_transaction_run_in_its_database_too() {
    let env = environment(Version::Packaged).await;
    let folder = Folder::new(&env.dir, "outside", "1.0")
        .migration("first", "create table first (id int primary key, code int not null);")
        .outside("indexes", "create unique index concurrently first_code on first (code); vacuum first;")
        .migration(
            "constraint",
            "alter table first add constraint first_code_unique unique using index first_code;",
        )
        .seed("insert into first values (1, 1);")
        .in_databases();
    env.add_blueprint(folder.path()).await;
    let arguments = ["tenant", "create", "acme", "--blueprint", "outside", "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&arguments).await.assert_status(0).json());
    let twice = "insert into first values (2, 1)";
    env.psql(&made.credentials, twice).await.assert_status(1).assert_says(&["first_code_unique"]);
    env.rollback("acme").await;
    env.assert_clean_slate(&made.tenant.placement).await;
}

#[tokio::test]
async fn a_daemon_that_dies_in_a_build_leaves_a_database_that_the_next_builds_in() {
    let mut env = environment(Version::Packaged).await;
    let folder = Folder::new(&env.dir, "slow", "1.0")
        .migration("first", "create table first (id bigint primary key);")
        .migration("wait", "select pg_sleep(1.5);")
        .in_databases();
    env.add_blueprint(folder.path()).await;
    let arguments = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let started: Value = env.tenantry(&arguments).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().unwrap().to_owned();
    eventually("its migrations run", async || {
        let steps = env.operation(&id).await.steps;
        steps.iter().any(|step| step.step == "migrations" && step.status == StepStatus::Running).then_some(())
    })
    .await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    let placement = env.tenant("acme").await.tenant.placement;
    let markers = "select string_agg(kind || ' ' || state, ', ' order by kind) from tenantry.placement";
    let mut own = env.cluster.superuser(placement.as_str()).await;
    let markers: String = sqlx::query_scalar(markers).fetch_one(&mut own).await.unwrap();
    assert_eq!(markers, "tenant building, tombstone void", "the first build can never come late");
    own.close().await.unwrap();
    env.rollback("acme").await;
    env.assert_clean_slate(&placement).await;
}

async fn a_gift_to_a_neighbour_in_another_database_does_not_hold_its_removal_up(version: Version) {
    let env = environment(version).await;
    let leaving = create(&env, "leaving", &[]).await;
    let beside = env.provision("beside").await;
    // A blueprint that did this itself would not be provisioned.
    for (name, placement) in [("one", &leaving.tenant.placement), ("two", &beside.tenant.placement)] {
        let giver = create(&env, name, &[]).await.tenant.placement;
        let give = format!(
            "set role {giver}; set search_path = {giver};
             create table gift (id int primary key); grant select on gift to {placement}_app, {placement}_a;
             alter default privileges grant select on tables to {placement}_probe;"
        );
        env.cluster.execute(giver.as_str(), give).await;
    }
    for gone in [&leaving, &beside] {
        env.rollback(gone.tenant.slug.as_str()).await;
        env.assert_clean_slate(&gone.tenant.placement).await;
    }
    env.tenantry(&["tenant", "suspend", "one"]).await.assert_status(0);
    env.rollback("one").await;
}

#[tokio::test]
async fn a_gift_in_another_database_does_not_hold_a_removal_up_on_the_packaged_postgresql() {
    a_gift_to_a_neighbour_in_another_database_does_not_hold_its_removal_up(Version::Packaged).await;
}

#[tokio::test]
async fn a_gift_in_another_database_does_not_hold_a_removal_up_on_postgresql_18() {
    a_gift_to_a_neighbour_in_another_database_does_not_hold_its_removal_up(Version::V18).await;
}

#[tokio::test]
async fn an_administrator_who_looks_on_keeps_a_database_only_while_he_does() {
    let env = environment(Version::Packaged).await;
    let made = create(&env, "acme", &[]).await;
    let mut looks_on = env.cluster.superuser(made.tenant.placement.as_str()).await;
    let rollback =
        ["tenant", "rollback", "acme", "--confirm", "acme", "--discard-data", "--no-wait", "--json"];
    let started: Value = env.tenantry(&rollback).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().unwrap().to_owned();
    eventually("the removal is held up", async || {
        let log = serde_json::to_string(&env.operation(&id).await).unwrap();
        log.contains("drop_objects").then_some(())
    })
    .await;
    sqlx::raw_sql("select 1").execute(&mut looks_on).await.unwrap();
    looks_on.close().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    env.assert_clean_slate(&made.tenant.placement).await;
}

#[tokio::test]
async fn a_database_that_is_still_being_made_when_its_operation_is_cancelled_never_comes() {
    let env = environment(Version::Packaged).await;
    create(&env, "first", &[]).await;
    let before = Snapshot::take(&env).await;
    // The server waits for sessions in the template before it copies it.
    let mut keeps = env.cluster.superuser(&template(&env).await).await;
    let arguments = ["tenant", "create", "acme", "--blueprint", PROJECTS, "--no-wait", "--json"];
    let started: Value = env.tenantry(&arguments).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().unwrap().to_owned();
    let making = "select exists (select from pg_stat_activity where query like 'create database%' and state = 'active')";
    eventually("the server makes the database", async || {
        let mut target = env.target().await;
        let is_making = sqlx::query_scalar::<_, bool>(making).fetch_one(&mut target).await.unwrap();
        target.close().await.unwrap();
        is_making.then_some(())
    })
    .await;
    env.tenantry(&["operation", "cancel", &id]).await.assert_status(0);
    env.wait_for_operation(&id, "rolled_back").await;
    sqlx::raw_sql("select 1").execute(&mut keeps).await.unwrap();
    keeps.close().await.unwrap();
    eventually("the server has given it up", async || {
        let mut target = env.target().await;
        let is_making = sqlx::query_scalar::<_, bool>(making).fetch_one(&mut target).await.unwrap();
        target.close().await.unwrap();
        (!is_making).then_some(())
    })
    .await;
    let left = before.difference(&Snapshot::take(&env).await);
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test]
async fn a_database_whose_drop_was_cut_short_is_dropped_again() {
    let env = environment(Version::Packaged).await;
    let made = create(&env, "acme", &[]).await;
    // The state in which the server leaves a database whose drop was interrupted.
    let invalid =
        format!("update pg_database set datconnlimit = -2 where datname = '{}'", made.tenant.placement);
    env.cluster.execute("postgres", invalid).await;
    let preview = ["rpc", "rollback_preview", r#"{"slug":"acme"}"#];
    assert_eq!(env.tenantry(&preview).await.assert_status(0).json()["tables"], 0);
    env.rollback("acme").await;
    env.assert_clean_slate(&made.tenant.placement).await;
}

#[tokio::test]
async fn it_is_changed_and_retired_as_others_are() {
    let env = environment(Version::Packaged).await;
    let made = create(&env, "acme", &[]).await;
    env.tenantry(&["tenant", "update", "acme", "--set", "connection_limit=7"]).await.assert_status(0);
    let limit = format!("select rolconnlimit from pg_roles where rolname = '{}'", made.credentials.role);
    assert_eq!(env.psql(&made.credentials, &limit).await.assert_status(0).stdout.trim(), "7");
    env.tenantry(&["tenant", "retire", "acme", "--confirm", "acme", "--grace", "0s"]).await.assert_status(0);
    eventually("it is purged", async || {
        (env.tenant("acme").await.tenant.state.name() == "retired").then_some(())
    })
    .await;
    env.assert_clean_slate(&made.tenant.placement).await;
    assert_eq!(std::fs::read_dir(env.dir.join("state/archives")).unwrap().count(), 1);
}
