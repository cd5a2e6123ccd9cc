//! Files that change rows of shared tables: they run once as each tenant, and reach the rows of that tenant and no others.

use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, Output, Provisioned, Version};

const ITEMS: &str =
    "create table items (tenant_id uuid not null, id int, name text, primary key (tenant_id, id));";
const PRICE: &str = "alter table items add column price int;
    create table sales (tenant_id uuid not null, id int, item int, primary key (tenant_id, id));";
const FILL: &str = "update items set price = 7 where price is null;
    insert into sales (id, item) select id, id from items;";

fn mall(env: &Env, version: &str, more: &[(&str, &str)]) -> Folder {
    let folder = Folder::shared(&env.dir, "mall", version)
        .migration("items", ITEMS)
        .seed("insert into items (id, name) values (100, 'of the seed');");
    more.iter().fold(folder, |folder, (title, sql)| folder.migration(title, sql))
}

async fn answer(env: &Env, made: &Provisioned, sql: &str) -> String {
    env.psql(&made.credentials, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// Tenants of the first version with one, two, three … rows.
async fn furnished<const N: usize>(env: &Env, slugs: [&str; N]) -> Vec<Provisioned> {
    env.add_blueprint(mall(env, "1.0", &[]).path()).await;
    let mut made = Vec::new();
    for (number, slug) in slugs.into_iter().enumerate() {
        made.push(furnish(env, slug, number + 1).await);
    }
    made
}

async fn furnish(env: &Env, slug: &str, rows: usize) -> Provisioned {
    let made = env.provision_of(slug, "mall").await;
    let insert =
        format!("insert into items (id, name) select n, 'of {slug}' from generate_series(0, {rows} - 1) n");
    env.psql(&made.credentials, &insert).await.assert_status(0);
    made
}

/// The upgrade of one tenant, with what its log says.
async fn upgrade(env: &Env, slug: &str) -> Output {
    env.tenantry(&["tenant", "upgrade", slug]).await
}

/// How many rows of the shared table are such ones, of all tenants together.
async fn counted(env: &Env, which: &str) -> i64 {
    let mut target = env.target().await;
    let pool: String =
        sqlx::query_scalar("select placement from tenantry.pool").fetch_one(&mut target).await.unwrap();
    let sql = format!("select count(*) from {pool}.items where {which}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut target).await.unwrap()
}

async fn a_backfill_reaches_the_rows_of_each_tenant(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let made = furnished(&env, ["acme", "globex", "initech"]).await;
    env.tenantry(&["tenant", "suspend", "globex"]).await.assert_status(0);
    // Its rows are there until its grace is over.
    let leaving = &furnish(&env, "leaving", 5).await.tenant;
    let retire = ["tenant", "retire", "leaving", "--confirm", "leaving", "--grace", "30d", "--discard-data"];
    env.tenantry(&retire).await.assert_status(0);
    env.add_blueprint(mall(&env, "1.1", &[("price", PRICE), ("fill", FILL)]).path()).await;
    let plan = env.tenantry(&["blueprint", "upgrade", "mall", "--plan"]).await.assert_status(0);
    assert!(plan.stdout.contains("V2__price.sql, V3__fill.sql (once per tenant)"), "{plan}");
    let done = upgrade(&env, "acme").await.assert_status(0);
    done.assert_says(&[
        "V3__fill.sql applied as each of 4 tenants",
        "22 rows changed",
        "acme 2",
        "globex 4",
        "initech 6",
        "leaving 10",
    ]);
    env.tenantry(&["tenant", "resume", "globex"]).await.assert_status(0);
    for (number, one) in made.iter().enumerate() {
        let slug = one.tenant.slug.as_str();
        let seen = "select (select count(*) from items where price = 7 and name = 'of SLUG') || ' '
            || (select count(*) from items) || ' ' || (select count(*) from sales)";
        let rows = number + 1;
        assert_eq!(answer(&env, one, &seen.replace("SLUG", slug)).await, format!("{rows} {rows} {rows}"));
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
        env.tenantry(&["tenant", "drift", slug]).await.assert_status(0);
    }
    let canary = "tenant_id = (select canary_id from tenantry.pool) and price = 7";
    assert_eq!(counted(&env, canary).await, 1, "the canary has the version, too");
    let left = format!("tenant_id = '{}' and price = 7", leaving.id);
    assert_eq!(counted(&env, &left).await, 5, "and so has the tenant that is retired");
    // A tenant that is made in the version has no earlier rows.
    let late = env.provision_of("late", "mall").await;
    assert_eq!(answer(&env, &late, "select count(*) from items").await, "0");
    for slug in ["acme", "globex", "initech", "late"] {
        env.rollback(slug).await;
    }
}

#[tokio::test]
async fn a_backfill_reaches_the_rows_of_each_tenant_of_the_tables() {
    a_backfill_reaches_the_rows_of_each_tenant(Version::Packaged).await;
}

#[tokio::test]
async fn a_backfill_reaches_the_rows_of_each_tenant_of_the_tables_on_the_newest_server() {
    a_backfill_reaches_the_rows_of_each_tenant(Version::V18).await;
}

#[tokio::test]
async fn what_fails_with_the_rows_of_one_tenant_is_undone_for_all() {
    let env = Env::new().await;
    let made = furnished(&env, ["acme", "globex", "initech"]).await;
    // The third tenant's rows come to the same key.
    let fill =
        "update items set price = 1;\ninsert into sales (id, item) select 1, id from items where id > 0;";
    let files = [("price", PRICE), ("fill", fill)];
    env.add_blueprint(mall(&env, "1.1", &files).path()).await;
    let refused = upgrade(&env, "acme").await;
    assert_ne!(refused.status, 0);
    refused.assert_says(&["as initech: ", "V3__fill.sql", "23505", "statement 2"]);
    for (number, one) in made.iter().enumerate() {
        assert_eq!(answer(&env, one, "select count(*) from items").await, (number + 1).to_string());
        env.psql(&one.credentials, "select price from items").await.assert_says(&["42703"]);
        assert_eq!(env.tenant(one.tenant.slug.as_str()).await.tenant.version.to_string(), "1.0");
    }
    // A later version goes its own way.
    env.add_blueprint(mall(&env, "1.2", &[("price", PRICE), ("fill", FILL)]).path()).await;
    upgrade(&env, "acme").await.assert_status(0);
    assert_eq!(answer(&env, &made[2], "select sum(price) from items").await, "21");
}

/// Whatever the file asks for, it finds no row of another tenant.
const REACH: &str = "update items set name = 'taken' where tenant_id <> tenantry_tenant();
    delete from items where tenant_id <> tenantry_tenant();
    merge into items i using items o on i.tenant_id <> o.tenant_id when matched then delete;
    with others as (select id from items where tenant_id <> tenantry_tenant()) insert into items (id) select id + 1000 from others;";

#[tokio::test]
async fn a_file_that_reaches_for_the_rows_of_others_changes_nothing_of_them() {
    let env = Env::new().await;
    let made = furnished(&env, ["acme", "globex"]).await;
    let globex = made[1].tenant.id;
    let rows = "select string_agg(items::text, ',' order by id) from items";
    let before = [answer(&env, &made[0], rows).await, answer(&env, &made[1], rows).await];
    env.add_blueprint(mall(&env, "1.1", &[("reach", REACH)]).path()).await;
    upgrade(&env, "acme").await.assert_status(0).assert_says(&["as each of 2 tenants", ": 0 rows changed"]);
    let become_another = "create function become() returns text language plpgsql as
        $$ begin return set_config('role', session_user, true); end $$;";
    let harmless = "create function become() returns text language sql return 'nobody';";
    let smuggle = format!(
        "insert into items (tenant_id, id) select '{globex}', 77 where tenantry_tenant() <> '{globex}';"
    );
    let give = format!("update items set tenant_id = '{globex}' where tenantry_tenant() <> '{globex}';");
    for (version, function, sql, says) in [
        ("1.2", harmless, smuggle.as_str(), "row-level security"),
        ("1.3", harmless, give.as_str(), "row-level security"),
        ("1.4", harmless, "update tenantry.pool_member set is_open = false;", "42501"),
        ("1.5", become_another, "update items set name = become();", "role"),
    ] {
        let files = [("reach", REACH), ("function", function), ("bad", sql)];
        env.add_blueprint(mall(&env, version, &files).path()).await;
        let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", version]).await;
        assert_ne!(refused.status, 0, "{sql}: {refused}");
        refused.assert_says(&["V4__bad.sql", says]);
    }
    let after = [answer(&env, &made[0], rows).await, answer(&env, &made[1], rows).await];
    assert_eq!(before, after);
    assert_eq!(env.tenant("globex").await.tenant.version.to_string(), "1.1");
    for slug in ["acme", "globex"] {
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
        env.tenantry(&["tenant", "drift", slug]).await.assert_status(0);
    }
}

#[tokio::test]
async fn a_backfill_waits_briefly_for_a_row_that_a_tenant_holds_and_names_who_held_it() {
    let env = Env::with_config(Cluster::shared(), "[limits]\noperation_budget_ms = 4000\n").await;
    let made = furnished(&env, ["acme", "globex"]).await;
    env.add_blueprint(mall(&env, "1.1", &[("fill", "update items set name = 'filled';")]).path()).await;
    let mut holder = env.log_in(&made[1].credentials).await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("update items set name = 'mine' where id = 0").execute(&mut *held).await.unwrap();
    let refused = upgrade(&env, "acme").await.assert_status(1);
    refused.assert_says(&["V2__fill.sql", "waited for process", &made[1].credentials.role, "quieter time"]);
    held.commit().await.unwrap();
    assert_eq!(counted(&env, "name = 'filled'").await, 0, "nothing of the others was changed");
    upgrade(&env, "acme").await.assert_status(0);
    assert_eq!(answer(&env, &made[1], "select count(*) from items where name = 'filled'").await, "2");
}

#[tokio::test]
async fn a_file_carries_nothing_from_one_tenant_to_the_next() {
    let env = Env::new().await;
    let made = furnished(&env, ["acme", "globex", "initech"]).await;
    // Where an administrator has left them to everybody.
    let temporary = format!("grant temporary on database {} to public", env.target_db);
    env.cluster.execute("postgres", temporary).await;
    let stash = "create function stash() returns text language plpgsql as $$
        begin
            if current_user = (select relowner::regrole::text from pg_class where oid = 'items'::regclass) then
                return ' ';
            end if;
            create temporary table if not exists stash (tenant text);
            grant all on stash to public;
            insert into pg_temp.stash values (tenantry_tenant());
            perform set_config('stash.all', concat(current_setting('stash.all', true), ' ', tenantry_tenant()), false);
            return concat(current_setting('stash.all'), ' ', (select string_agg(tenant, ' ') from pg_temp.stash));
        end $$;";
    let files = [("stash", stash), ("fill", "update items set name = stash();")];
    env.add_blueprint(mall(&env, "1.1", &files).path()).await;
    upgrade(&env, "acme").await.assert_status(0);
    for one in &made {
        let own = "select count(*) from items where replace(name, tenant_id::text, '') !~ '^ +$' or name !~ tenant_id::text";
        assert_eq!(answer(&env, one, own).await, "0");
    }
}

/// Rows that a version gives to each tenant are given to those that are there. The tables can be built for the version, too.
#[tokio::test]
async fn tables_are_built_for_a_version_whose_files_insert_rows() {
    let env = Env::new().await;
    let kinds = "create table kinds (tenant_id uuid not null, name text, primary key (tenant_id, name));";
    let files = [("kinds", kinds), ("first", "insert into kinds (name) values ('pen'), ('ink');")];
    env.add_blueprint(mall(&env, "1.1", &files).path()).await;
    let plan = env.tenantry(&["tenant", "create", "acme", "--blueprint", "mall", "--plan", "--json"]).await;
    assert!(plan.assert_status(0).stdout.contains("tenantry_ext.tenantry_tenant()"), "what runs is shown");
    let acme = env.provision_of("acme", "mall").await;
    assert_eq!(answer(&env, &acme, "select count(*) from kinds").await, "0");
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
    let more = [files[0], files[1], ("more", "insert into kinds (name) values ('ruler');")];
    env.add_blueprint(mall(&env, "1.2", &more).path()).await;
    upgrade(&env, "acme").await.assert_status(0);
    assert_eq!(answer(&env, &acme, "select string_agg(name, ',') from kinds").await, "ruler");
    env.rollback("acme").await;
}
