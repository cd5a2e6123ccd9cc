//! Shared tables brought to a later version in place: all of their tenants at once, or none.

use tenantry_harness::{Env, Folder, Provisioned};

const ITEMS: &str =
    "create table items (tenant_id uuid not null, id int, name text, primary key (tenant_id, id));";

fn first(env: &Env) -> Folder {
    Folder::shared(&env.dir, "mall", "1.0").migration("items", ITEMS)
}

/// A later version with one more file.
fn then(env: &Env, version: &str, sql: &str) -> Folder {
    Folder::shared(&env.dir, "mall", version).migration("items", ITEMS).migration("more", sql)
}

async fn two(env: &Env) -> [Provisioned; 2] {
    env.add_blueprint(first(env).path()).await;
    let made = [env.provision_of("acme", "mall").await, env.provision_of("globex", "mall").await];
    for (number, one) in made.iter().enumerate() {
        let insert = format!("insert into items (id, name) values (1, 'of {number}')");
        env.psql(&one.credentials, &insert).await.assert_status(0);
    }
    made
}

async fn version(env: &Env, slug: &str) -> String {
    env.tenant(slug).await.tenant.version.to_string()
}

#[tokio::test]
async fn all_tenants_of_the_tables_have_the_version_and_each_its_own_rows() {
    let env = Env::new().await;
    let [acme, globex] = two(&env).await;
    let more = "alter table items add column price numeric;
                create index items_price on items (tenant_id, price);
                create table sales (tenant_id uuid not null, id int, primary key (tenant_id, id));";
    env.add_blueprint(then(&env, "1.1", more).path()).await;
    let done = env.tenantry(&["blueprint", "upgrade", "mall", "--json"]).await.assert_status(0).json();
    let counts = &done["upgrade"]["counts"];
    assert_eq!((&counts["done"], &counts["current"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(
        (version(&env, "acme").await, version(&env, "globex").await),
        ("1.1".to_owned(), "1.1".to_owned())
    );
    for (number, one) in [&acme, &globex].into_iter().enumerate() {
        let sale = format!("insert into sales (id) values ({number}); update items set price = {number}");
        env.psql(&one.credentials, &sale).await.assert_status(0);
        let seen = env
            .psql(
                &one.credentials,
                "select (select string_agg(id::text, ',') from sales), name, price from items",
            )
            .await;
        assert_eq!(seen.assert_status(0).stdout.trim(), format!("{number}|of {number}|{number}"));
    }
    let files =
        "select count(*) from tenantry.migration_history h join tenantry.pool p on p.placement = h.placement
                 where p.version = '1.1' and file = 'V2__more.sql'";
    let files: i64 = sqlx::query_scalar(files).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(files, 1, "the file ran once for both");
    for slug in ["acme", "globex"] {
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
        // They are what tenants of a pool are that was built for the version.
        env.tenantry(&["tenant", "drift", slug]).await.assert_status(0);
    }
    // The next tenant of the version joins them.
    env.provision_of("initech", "mall").await;
    let pools = "select count(*) from tenantry.pool where blueprint = 'mall'";
    let pools: i64 = sqlx::query_scalar(pools).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(pools, 1);
    for slug in ["acme", "globex", "initech"] {
        env.rollback(slug).await;
    }
}

#[tokio::test]
async fn what_reaches_other_rows_or_locks_everybody_out_is_refused_and_nothing_is_changed() {
    let env = Env::new().await;
    let [acme, _] = two(&env).await;
    for (version, sql, says) in [
        (
            "1.1",
            "alter table items add column price int; update items set price = 1;",
            "into a file of its own",
        ),
        ("1.7", "do $$ begin update items set name = 'x'; end $$;", "reach the pool's own rows alone"),
        ("1.2", "alter table items alter column id type bigint;", "written anew"),
        ("1.3", "create table open (id int primary key);", "tenant_id"),
        ("1.4", "create policy more on items using (true);", "policy"),
        ("1.5", "alter table items no force row level security;", "row-level security"),
        ("1.6", "create table items (id int);", "already exists"),
    ] {
        let folder = then(&env, version, sql);
        let added = env.tenantry(&["blueprint", "add", folder.path()]).await;
        if added.status != 0 {
            // A lint refuses it before there can be an upgrade.
            continue;
        }
        let name = format!("mall@{version}");
        let refused = env.tenantry(&["blueprint", "upgrade", &name]).await;
        assert_ne!(refused.status, 0, "{sql}: {refused}");
        assert!(refused.to_string().contains(says), "{sql}: {refused}");
        assert_eq!(super::many::cancel_open(&env).await, "1.0", "{sql}");
    }
    let seen = env.psql(&acme.credentials, "select name from items").await.assert_status(0);
    assert_eq!(seen.stdout.trim(), "of 0");
    let columns =
        "select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid join tenantry.pool p
                   on c.relnamespace = to_regnamespace(p.placement) where c.relname = 'items' and attnum > 0";
    let columns: i64 = sqlx::query_scalar(columns).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(columns, 3);
}

#[tokio::test]
async fn tables_that_come_to_a_version_stand_beside_those_that_were_built_for_it() {
    let env = Env::new().await;
    two(&env).await;
    env.add_blueprint(then(&env, "1.1", "alter table items add column price numeric;").path()).await;
    env.provision_of("initech", "mall").await;
    env.tenantry(&["tenant", "upgrade", "globex"]).await.assert_status(0);
    assert_eq!(
        (version(&env, "acme").await, version(&env, "globex").await),
        ("1.1".to_owned(), "1.1".to_owned())
    );
    env.provision_of("umbrella", "mall").await;
    env.provision_of("late", "mall@1.0").await;
    let pools = "select string_agg(version || ' ' || is_open || ' ' || n, ', ' order by version, is_open) from (
                     select p.version, p.is_open, (select count(distinct placement) from tenantry.pool_member m
                                                   where m.pool = p.placement and m.placement <> p.placement) as n
                     from tenantry.pool p where blueprint = 'mall') t";
    let pools: String = sqlx::query_scalar(pools).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(pools, "1.0 true 1, 1.1 false 2, 1.1 true 2");
    let again = env.tenantry(&["blueprint", "upgrade", "mall", "--json"]).await.assert_status(0).json();
    assert_eq!(again["upgrade"]["counts"]["done"], 1, "{again}");
    for slug in ["acme", "globex", "initech", "umbrella", "late"] {
        env.rollback(slug).await;
    }
}
