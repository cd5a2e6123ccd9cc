//! Temporary tables of files: there while a file runs, as its own tool has them, and never again.

use tenantry_harness::{Cluster, Env, Folder, Version};
use tenantry_protocol::isolation::Grade;

const ITEMS: &str = "create table item (id int primary key, code text not null);
                     insert into item select i, 'code ' || i from generate_series(1, 10) i;";
const MOVED: &str = "create temp table item as select id, upper(code) as code from item;
                     create temporary table moved on commit drop as select * from item where id > 5;
                     drop table item;
                     update item set code = m.code from moved m where m.id = item.id;";
/// Made again, since the temporary tables of another file are gone, and shadowed by none of them.
const AGAIN: &str = "create temp table moved (id int);
                     do $$ begin create temp table more as select 1 as id; insert into item values (11, 'code 11'); end $$;";
const REFRESHED: &str = "create materialized view codes as select id, code from item;
                         create unique index codes_id on codes (id);
                         refresh materialized view concurrently codes;
                         create function refresh_codes() returns trigger language plpgsql as
                             $$ begin refresh materialized view concurrently codes; return null; end $$;
                         create trigger refreshed after delete on item execute function refresh_codes();";
/// Needs them without a word of them.
const DELETED: &str = "delete from item where id = 1;";

fn folder(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "moving", version)
        .say("tenancy", "schema = \"public\"\ntenancy")
        .migration("items", ITEMS)
}

async fn temporary_tables_come_and_go(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let acl = "select datacl::text from pg_database where datname = current_database()";
    let mut target = env.target().await;
    let whole = folder(&env, "1.0")
        .migration("moved", MOVED)
        .migration("again", AGAIN)
        .migration("refreshed", REFRESHED)
        .migration("deleted", DELETED);
    env.add_blueprint(whole.path()).await;
    env.provision_of("first", "moving").await;
    let before: String = sqlx::query_scalar(acl).fetch_one(&mut target).await.unwrap();
    // Several at once: each changes the same row of the catalog.
    let made = futures::future::join_all((0..4).map(|number| {
        let env = &env;
        async move { env.provision_of(&format!("crowd-{number}"), "moving").await }
    }))
    .await;
    let after: String = sqlx::query_scalar(acl).fetch_one(&mut target).await.unwrap();
    assert_eq!(after, before);
    let left = "select count(*) from pg_class where relpersistence = 't'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut target).await.unwrap();
    assert_eq!(left, 0);
    let acme = &made[0];
    let codes = "select string_agg(code, ',' order by id) from item where id in (5, 6, 11)";
    assert_eq!(
        env.psql(&acme.credentials, codes).await.assert_status(0).stdout.trim(),
        "code 5,CODE 6,code 11"
    );
    let refused = env.psql(&acme.credentials, "create temp table t (id int)").await;
    refused.assert_says(&["permission denied to create temporary tables"]);
    let verified = env.tenantry(&["tenant", "verify", "crowd-0", "--json"]).await.assert_status(0).json();
    assert_ne!(verified["grade"], serde_json::json!(Grade::F), "{verified}");
    let drift = env.tenantry(&["tenant", "drift", "crowd-0"]).await;
    drift.assert_status(0);
}

#[tokio::test]
async fn temporary_tables_are_there_for_a_file_and_gone_behind_it() {
    temporary_tables_come_and_go(Version::Packaged).await;
}

#[tokio::test]
async fn temporary_tables_are_there_for_a_file_and_gone_behind_it_on_postgresql_18() {
    temporary_tables_come_and_go(Version::V18).await;
}

#[tokio::test]
async fn an_upgrade_has_them_too_and_a_database_of_its_own() {
    let env = Env::new().await;
    let version = |version: &str| folder(&env, version).in_databases();
    let version = |name: &str| version(name).migration("refreshed", REFRESHED);
    env.add_blueprint(version("1.0").path()).await;
    let made = env.provision_of("acme", "moving").await;
    env.add_blueprint(
        version("1.1")
            .migration("moved", MOVED)
            .migration("again", AGAIN)
            .migration("deleted", DELETED)
            .path(),
    )
    .await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let codes = "select count(*) from item where code like 'CODE%'";
    assert_eq!(env.psql(&made.credentials, codes).await.assert_status(0).stdout.trim(), "5");
    let refused = env.psql(&made.credentials, "create temp table t (id int)").await;
    refused.assert_says(&["permission denied to create temporary tables"]);
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
}

/// What the session's own statements read by name stands in the way of none of them, and is called by none.
#[tokio::test]
async fn a_temporary_object_with_a_name_of_the_catalog_is_met_by_nobody() {
    let env = Env::new().await;
    let trap = "create function pg_temp.spring() returns oid language plpgsql volatile as $$ begin
                    insert into pg_temp.loot values (current_user); return 0; end $$;
                create temp table loot (who text);
                create temp view pg_class as select pg_temp.spring() as oid, 'x'::name as relname;
                create temp view pg_roles as select pg_temp.spring() as oid, 'x'::name as rolname;
                create temp table pg_namespace (oid oid default pg_temp.spring(), nspname name);
                declare held cursor with hold for select * from pg_temp.pg_class;";
    let read = "create table item (id int primary key, code text);
                insert into item select 1, string_agg(relname, ',') from pg_catalog.pg_class where relname in ('loot', 'pg_roles') and relpersistence = 't' and relnamespace <> 0;";
    let folder = Folder::new(&env.dir, "trap", "1.0").migration("trap", trap).migration("read", read);
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("acme", "trap").await;
    let found = env.psql(&made.credentials, "select coalesce(code, 'nothing') from item").await;
    assert_eq!(found.assert_status(0).stdout.trim(), "nothing");
    env.rollback("acme").await;
    env.assert_clean_slate(&made.tenant.placement).await;
}
