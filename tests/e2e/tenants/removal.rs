//! A tenant can always be removed: nothing that it or another tenant leaves behind blocks the removal. Only what an
//! administrator made from its objects in another tenant's schema does, and it is named.

use sqlx::{AssertSqlSafe, Executor as _};
use tenantry_harness::{Cluster, Env, Folder, Version};
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::tenant::Credentials;

use crate::attacks::tenancy_shared::{pool, seen};

/// A tenant grants rights to its neighbour, whose roles then have entries in the privileges of another's objects.
async fn a_neighbours_gifts_do_not_hold_up_a_removal(version: Version) {
    let cluster = if version == Version::Packaged { Cluster::shared() } else { Cluster::private(version) };
    let env = Env::on(cluster).await;
    let leaving = env.provision("leaving").await;
    let folder = Folder::new(&env.dir, "giver", "1.0").migration(
        "gift",
        "create table gift (id int primary key, note text);
         create function give() returns int language sql as 'select 1';",
    );
    env.add_blueprint(folder.path()).await;
    let giver = env.provision_of("giver", "giver").await;
    // A blueprint that did this itself would not be provisioned.
    let gift = format!(
        "set role {1}; set search_path = {1};
         do $$ begin
             execute 'grant usage on schema ' || current_schema() || ' to {0}_app';
             execute 'grant select, insert on gift to {0}_app, {0}_a';
             execute 'grant update (note) on gift to {0}';
             execute 'grant execute on function give() to {0}_b';
             execute 'alter default privileges grant select on tables to {0}_probe';
             execute 'create policy open on gift to {0}_app, {0}_a using (true)';
         end $$;",
        leaving.tenant.placement, giver.tenant.placement
    );
    env.cluster.execute(&env.target_db, gift).await;
    // A login can give away rights too.
    let by_login = format!(
        "alter default privileges grant select on tables to {0}_a;
         do $$ begin execute format('grant select on large object %s to {0}_app', lo_create(0)); end $$;",
        leaving.tenant.placement
    );
    env.psql(&giver.credentials, &by_login).await.assert_status(0);

    env.rollback("leaving").await;
    env.assert_clean_slate(&leaving.tenant.placement).await;
    // The giver kept what it has, and is removed just as completely.
    env.psql(&giver.credentials, "select * from gift").await.assert_status(0);
    env.rollback("giver").await;
    env.assert_clean_slate(&giver.tenant.placement).await;
}

#[tokio::test]
async fn a_neighbours_gifts_do_not_hold_up_a_removal_on_the_packaged_postgresql() {
    a_neighbours_gifts_do_not_hold_up_a_removal(Version::Packaged).await;
}

#[tokio::test]
async fn a_neighbours_gifts_do_not_hold_up_a_removal_on_postgresql_18() {
    a_neighbours_gifts_do_not_hold_up_a_removal(Version::V18).await;
}

#[tokio::test]
async fn what_other_tenants_have_on_its_objects_does_not_go_with_it() {
    let env = Env::new().await;
    let tables =
        Folder::new(&env.dir, "plain", "1.0").migration("tables", "create table a (id int primary key)");
    env.add_blueprint(tables.path()).await;
    let leaving = env.provision_of("leaving", "plain").await.tenant.placement;
    let staying = env.provision_of("staying", "plain").await.tenant.placement;
    env.provision_of("sharing", "ledger").await;
    let pool = pool(&env).await;
    let lean = format!(
        "create domain {leaving}.kind as text;
         alter table {staying}.a add kind {leaving}.kind;
         alter table {staying}.a add constraint a_leaving foreign key (id) references {leaving}.a;
         alter table {pool}.accounts add sort {leaving}.kind;
         create schema reporting; create view reporting.all_a as select id from {leaving}.a"
    );
    env.cluster.execute(&env.target_db, lean).await;
    let rollback = ["tenant", "rollback", "leaving", "--confirm", "leaving", "--discard-data", "--json"];
    let refused = env.tenantry(&rollback).await.assert_status(6).json();
    assert_eq!(refused["operation"]["state"]["name"], "needs_attention", "{refused}");
    let message = refused["operation"]["state"]["failure"]["message"].as_str().unwrap_or_default();
    for said in [
        format!("column kind of table {staying}.a on type {leaving}.kind"),
        format!("constraint a_leaving on table {staying}.a"),
        format!("column sort of table {pool}.accounts on type {leaving}.kind"),
    ] {
        assert!(message.contains(&said), "{said}: {refused}");
    }
    assert!(!message.contains("reporting"), "{refused}");
    let there = format!("select coalesce(to_regclass('{leaving}.a')::text, '')");
    assert_eq!(seen(&env, there).await, format!("{leaving}.a"), "nothing of it went");

    let mend = format!(
        "alter table {staying}.a drop kind, drop constraint a_leaving; alter table {pool}.accounts drop sort"
    );
    env.cluster.execute(&env.target_db, mend).await;
    let id = refused["operation"]["id"].as_str().unwrap();
    env.tenantry(&["operation", "retry", id]).await.assert_status(0);
    env.assert_clean_slate(&leaving).await;
    let view = "select coalesce(to_regclass('reporting.all_a')::text, '')".to_owned();
    assert_eq!(seen(&env, view).await, "", "an administrator's view goes with its table");
    for slug in ["staying", "sharing"] {
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
    }
}

/// Grants something to the tenant's roles again and again, and so keeps them locked; also to the archive's login, once it
/// exists.
async fn a_persistent_neighbour(env: &Env, login: &Credentials, tenant: &PlacementName) {
    let gives = format!(
        "do $$ begin for i in 1..20 loop
             if to_regrole('{tenant}_dump') is not null then
                 execute 'alter default privileges grant select on tables to {tenant}_dump';
             end if;
             execute 'alter default privileges grant select on tables to {tenant}_app, {tenant}_a';
             perform pg_sleep(0.05);
         end loop; end $$"
    );
    loop {
        // The session is ended whenever it is in the way, and comes back.
        env.psql(login, &gives).await;
    }
}

async fn a_neighbour_who_comes_back_does_not_hold_up_a_removal(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let tables =
        Folder::new(&env.dir, "plain", "1.0").migration("tables", "create table a (id int primary key)");
    env.add_blueprint(tables.path()).await;
    let leaving = env.provision_of("leaving", "plain").await.tenant.placement;
    let neighbour = env.provision_of("neighbour", "plain").await.credentials;
    let first = a_persistent_neighbour(&env, &neighbour, &leaving);
    let second = a_persistent_neighbour(&env, &neighbour, &leaving);
    let mut rollback = vec!["tenant", "rollback", "leaving", "--confirm", "leaving"];
    if version == Version::V18 {
        // The packaged pg_dump is too old for an archive, which has a login of its own.
        rollback.push("--discard-data");
    }
    tokio::select! {
        () = first => {}
        () = second => {}
        removed = env.tenantry(&rollback) => {
            removed.assert_status(0);
        }
    }
    let left = format!("select string_agg(rolname, ' ') from pg_roles where rolname like '{leaving}%'");
    assert_eq!(seen(&env, left).await, "");
}

#[tokio::test]
async fn a_neighbour_who_comes_back_does_not_hold_up_a_removal_on_the_packaged_postgresql() {
    a_neighbour_who_comes_back_does_not_hold_up_a_removal(Version::Packaged).await;
}

#[tokio::test]
async fn a_neighbour_who_comes_back_does_not_hold_up_a_removal_on_postgresql_18() {
    a_neighbour_who_comes_back_does_not_hold_up_a_removal(Version::V18).await;
}

/// What a neighbour commits, and what it then leaves open: neither needs a right from the tenant.
const LEFT_OPEN: [[&str; 2]; 2] = [
    [
        "alter default privileges in schema {tenant} grant select on tables to public",
        "alter default privileges in schema {tenant} grant insert on tables to public",
    ],
    [
        "alter default privileges grant select on tables to {tenant}_a",
        "alter default privileges grant insert on tables to {tenant}_a",
    ],
];

async fn what_a_neighbour_leaves_open_does_not_hold_up_a_removal(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let tables =
        Folder::new(&env.dir, "plain", "1.0").migration("tables", "create table a (id int primary key)");
    env.add_blueprint(tables.path()).await;
    let leaving = env.provision_of("leaving", "plain").await.tenant.placement;
    let neighbour = env.provision_of("neighbour", "plain").await.credentials;
    let mut open = Vec::new();
    for [committed, left] in LEFT_OPEN {
        let mut session = env.log_in(&neighbour).await;
        let of = |sql: &str| AssertSqlSafe(sql.replace("{tenant}", leaving.as_str()));
        session.execute(of(committed)).await.unwrap();
        session.execute("begin").await.unwrap();
        session.execute(of(left)).await.unwrap();
        open.push(session);
    }
    let rollback = ["tenant", "rollback", "leaving", "--confirm", "leaving", "--discard-data"];
    env.tenantry(&rollback).await.assert_status(0);
    drop(open);
    env.assert_clean_slate(&leaving).await;
    env.tenantry(&["tenant", "verify", "neighbour"]).await;
    env.rollback("neighbour").await;
}

#[tokio::test]
async fn what_a_neighbour_leaves_open_does_not_hold_up_a_removal_on_the_packaged_postgresql() {
    what_a_neighbour_leaves_open_does_not_hold_up_a_removal(Version::Packaged).await;
}

#[tokio::test]
async fn what_a_neighbour_leaves_open_does_not_hold_up_a_removal_on_postgresql_18() {
    what_a_neighbour_leaves_open_does_not_hold_up_a_removal(Version::V18).await;
}

#[tokio::test]
async fn default_privileges_for_the_canarys_schema_are_no_change_of_the_canary() {
    let env = Env::new().await;
    let tables =
        Folder::new(&env.dir, "plain", "1.0").migration("tables", "create table a (id int primary key)");
    env.add_blueprint(tables.path()).await;
    let attacker = env.provision_of("attacker", "plain").await.credentials;
    let canary = "select placement from tenantry.placement where kind = 'canary' and state = 'active'";
    let canary = seen(&env, canary.into()).await;
    let restless = format!(
        "alter default privileges in schema {canary} grant select on tables to public;
         alter default privileges in schema {canary} revoke select on tables from public"
    );
    let mut session = env.log_in(&attacker).await;
    let attack = async {
        loop {
            for statement in restless.split(';') {
                session.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
            }
        }
    };
    tokio::select! {
        () = attack => {}
        () = async {
            for n in 0..5 {
                env.provision_of(&format!("quiet-{n}"), "plain").await;
            }
        } => {}
    }
}
