//! How a pool is made: once, as a whole, whichever tenant needed it first.

use futures::future::join_all;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, Version, eventually};

use super::{SEEDED, count, pool, seeded, seen, value};

const TABLE: &str = "create table notes (tenant_id uuid not null, id uuid not null default gen_random_uuid(), note text not null,
                     constraint notes_pkey primary key (tenant_id, id));";

#[tokio::test]
async fn eight_who_come_at_once_build_one_pool() {
    together(&Env::new().await).await;
}

#[tokio::test]
async fn eight_who_come_at_once_build_one_pool_on_postgresql_18() {
    together(&Env::on(Cluster::private(Version::V18)).await).await;
}

async fn together(env: &Env) {
    let slugs: Vec<String> = (1..=8).map(|n| format!("tenant-{n}")).collect();
    let made: Vec<Provisioned> = join_all(slugs.iter().map(|slug| seeded(env, slug))).await;
    let pools = "select count(*) || ' ' || (select count(*) from tenantry.placement where kind = 'pool') from tenantry.pool";
    assert_eq!(seen(env, pools.to_owned()).await, "1 1");
    for one in &made {
        assert_eq!(count(env, one).await, SEEDED);
        assert_eq!(value(env, &one.credentials, "select count(*) from transactions").await, "16");
    }
    // The canary's rows belong to no tenant.
    let canary = format!(
        "select count(*)::text from {}.transactions where tenant_id = (select canary_id from tenantry.pool)",
        pool(env).await
    );
    assert_eq!(seen(env, canary).await, "16");
}

#[tokio::test]
async fn each_version_has_a_pool_of_its_own() {
    let env = Env::new().await;
    env.add_blueprint(Folder::shared(&env.dir, "notes", "1.0").migration("notes", TABLE).path()).await;
    env.add_blueprint(Folder::shared(&env.dir, "notes", "2.0").migration("notes", TABLE).path()).await;
    for (slug, blueprint) in [("one", "notes@1.0"), ("two", "notes@1.0"), ("three", "notes@2.0")] {
        env.provision_of(slug, blueprint).await;
    }
    env.provision_of("four", "notes@2.0").await;
    assert_eq!(
        seen(&env, "select string_agg(version, ',' order by version) from tenantry.pool".into()).await,
        "1.0,2.0"
    );
    let members = "select string_agg(n::text, ',') from (select count(distinct placement) - 1 as n from tenantry.pool_member group by pool) m";
    assert_eq!(seen(&env, members.into()).await, "2,2");
}

#[tokio::test]
async fn a_pool_whose_daemon_was_killed_while_it_built_is_built_again_by_the_next() {
    let mut env = Env::new().await;
    let folder = Folder::shared(&env.dir, "slow", "1.0")
        .migration("notes", TABLE)
        .migration("wait", "select pg_sleep(1.5);");
    env.add_blueprint(folder.path()).await;
    let create =
        |slug: &'static str| ["tenant", "create", slug, "--blueprint", "slow", "--no-wait", "--json"];
    let started: Vec<Value> =
        join_all(["one", "two"].map(async |slug| env.tenantry(&create(slug)).await.assert_status(0).json()))
            .await;
    eventually("the pool is being built", async || {
        let sleeping = "select count(*)::text from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
        (seen(&env, sleeping.to_owned()).await == "1").then_some(())
    })
    .await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    for started in &started {
        let id = started["operation"]["id"].as_str().expect("an operation");
        env.wait_for_operation(id, "succeeded").await;
    }
    assert_eq!(seen(&env, "select count(*)::text from tenantry.pool".into()).await, "1");
    let schemas = "select count(*)::text from pg_namespace n join tenantry.pool p on p.placement <> n.nspname where n.nspname ~ '^t_'
                   and not exists (select from tenantry.placement where placement = n.nspname and kind = 'canary')";
    assert_eq!(seen(&env, schemas.into()).await, "0", "nothing is left of the first attempt");
}

#[tokio::test]
async fn a_seed_that_fails_for_one_tenant_leaves_nothing_of_it() {
    let env = Env::new().await;
    // The canary's row is the first; a second tenant with the seed finds the guard closed.
    let guard = "create function once() returns trigger language plpgsql set search_path from current as $$
                 begin
                     if new.note = 'late' and tenantry_tenant() <> (select tenant_id from notes where note = 'first') then
                         raise exception 'no';
                     end if;
                     if new.note = 'late' and current_user::text !~ '^t_.{13}$' then raise exception 'not as %', current_user; end if;
                     return new;
                 end $$;
                 create trigger once before insert on notes for each row execute function once();";
    let folder = Folder::shared(&env.dir, "notes", "1.0")
        .migration("notes", TABLE)
        .migration("guard", guard)
        .seed("insert into notes (note) values ('first');\ninsert into notes (note) select 'x' where current_setting('is_superuser') = 'on';\ninsert into notes (note) values ('late');");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "one", "--blueprint", "notes", "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    assert_eq!(value(&env, &made.credentials, "select count(*) from notes").await, "2");
    let pool = pool(&env).await;
    let close = format!("create function {pool}.never() returns trigger language plpgsql as 'begin raise exception ''closed''; end';
                         alter function {pool}.never() owner to {pool}; revoke execute on function {pool}.never() from public;
                         create trigger never before insert on {pool}.notes for each row when (new.note = 'late') execute function {pool}.never()");
    env.cluster.execute(&env.target_db, close).await;
    let create = ["tenant", "create", "two", "--blueprint", "notes", "--seed", "--json"];
    let failed: Value = env.tenantry(&create).await.assert_status(1).json();
    let failure = &failed["operation"]["state"]["failure"];
    assert_eq!(
        (&failure["file"], &failure["line"], &failure["step"]),
        (&"seed/data.sql".into(), &3.into(), &"seed".into()),
        "{failed}"
    );
    env.assert_clean_slate(&env.tenant("two").await.tenant.placement).await;
    let left = format!("select count(distinct tenant_id)::text from {pool}.notes");
    assert_eq!(seen(&env, left).await, "2", "the first tenant and the canary");
}

#[tokio::test]
async fn a_daemon_that_stopped_while_it_built_a_pool_keeps_nobody_waiting() {
    let env = Env::new().await;
    env.add_blueprint(Folder::shared(&env.dir, "notes", "1.0").migration("notes", TABLE).path()).await;
    env.provision("first").await;
    let listed = env.tenantry(&["blueprint", "list", "--json"]).await.assert_status(0).json();
    let blueprints = listed["blueprints"].as_array().expect("a list");
    let notes = blueprints.iter().find(|blueprint| blueprint["name"] == "notes").expect("it is listed");
    // Held as the stopped daemon would hold it.
    let options = env.cluster.options(&env.target_db).username(&env.provisioner).password("only-for-tests");
    let mut stopped = options.application_name("tenantryd").connect().await.unwrap();
    let hold = format!(
        "begin; insert into tenantry.pool (placement, blueprint, version, checksum, canary_id)
         values ('t_0', 'notes', '1.0', '{}', gen_random_uuid())",
        notes["checksum"].as_str().unwrap()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut stopped).await.unwrap();
    let made = env.provision_of("one", "notes").await;
    assert!(sqlx::raw_sql("commit").execute(&mut stopped).await.is_err(), "its session was ended");
    assert_eq!(value(&env, &made.credentials, "select count(*) from notes").await, "0");
    assert_eq!(seen(&env, "select count(*)::text from tenantry.pool".into()).await, "1");
}
