//! Pools that an earlier release built: with functions that their owner could replace, and under weaker rules.

use serde_json::Value;
use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::tenancy_shared::{pool, seen};

const NOTES: &str = "create table notes (tenant_id uuid not null, id int not null, up int, constraint notes_pkey primary key (tenant_id, id),
    constraint notes_up foreign key (tenant_id, up) references notes on delete set null (up));";

/// Turns a pool back into what the previous release made, with its functions as an attacker would replace them.
async fn make_it_one_of_before(env: &Env, pool: &str) {
    let sql = format!(
        "drop function tenantry.{pool}_picture(), tenantry.{pool}_at_rest();
         create function {pool}.tenantry_picture() returns text language plpgsql security invoker as
             $$ begin execute 'create role risen'; return session_user; end $$;
         create function {pool}.tenantry_at_rest() returns void language plpgsql security invoker as
             $$ begin execute 'create role risen'; end $$;
         alter function {pool}.tenantry_picture() owner to {pool};
         alter function {pool}.tenantry_at_rest() owner to {pool};
         grant usage on schema {pool} to {0}; grant execute on function {pool}.tenantry_picture(), {pool}.tenantry_at_rest() to {0};
         alter default privileges for role {pool} in schema {pool} grant select on tables to {pool}_app;
         update tenantry.pool set rules = 0;",
        env.provisioner
    );
    env.cluster.execute(&env.target_db, sql).await;
}

async fn with_a_pool(version: Version) -> (Env, String) {
    let env = Env::on(Cluster::private(version)).await;
    env.add_blueprint(Folder::shared(&env.dir, "notes", "1.0").migration("notes", NOTES).path()).await;
    env.provision_of("one", "notes").await;
    let pool = pool(&env).await;
    make_it_one_of_before(&env, &pool).await;
    (env, pool)
}

async fn functions_of_before_are_never_called(version: Version) {
    let (mut env, pool) = with_a_pool(version).await;
    env.restart_with("").await;
    env.tenantry(&["tenant", "verify", "one"]).await.assert_status(0);
    env.provision_of("two", "notes").await;
    env.rollback("one").await;
    assert_eq!(seen(&env, "select count(*)::text from pg_roles where rolname = 'risen'".into()).await, "0");
    let left = format!("select count(*)::text from pg_proc where pronamespace = '{pool}'::regnamespace");
    assert_eq!(seen(&env, left).await, "0", "the functions that the owner could replace are gone");
    let rules = "select (rules > 0)::text from tenantry.pool";
    assert_eq!(seen(&env, rules.into()).await, "true", "the pool was held to the rules of now");
}

#[tokio::test]
async fn functions_that_an_owner_could_replace_are_never_called_again() {
    functions_of_before_are_never_called(Version::Packaged).await;
}

#[tokio::test]
async fn functions_that_an_owner_could_replace_are_never_called_again_on_postgresql_18() {
    functions_of_before_are_never_called(Version::V18).await;
}

#[tokio::test]
async fn nobody_joins_a_pool_that_breaks_the_rules_of_now_and_its_tenants_hear_of_it() {
    let (mut env, pool) = with_a_pool(Version::Packaged).await;
    let spoiled = format!(
        "create function {pool}.going() returns trigger language plpgsql as $$ begin return new; end $$;
         alter function {pool}.going() owner to {pool};
         create trigger going before update on {pool}.notes for each row execute function {pool}.going()"
    );
    env.cluster.execute(&env.target_db, spoiled).await;
    env.restart_with("").await;
    let create = ["tenant", "create", "two", "--blueprint", "notes", "--json"];
    let failed: Value = env.tenantry(&create).await.assert_status(1).json();
    let failure = &failed["operation"]["state"]["failure"];
    assert_eq!(failure["step"], "pool", "{failed}");
    assert!(failure["message"].as_str().unwrap().contains("the trigger going of table notes"), "{failed}");
    env.assert_clean_slate(&env.tenant("two").await.tenant.placement).await;
    let verified = env.tenantry(&["tenant", "verify", "one"]).await.assert_status(6);
    assert!(verified.stdout.contains("the trigger going of table notes"), "{}", verified.stdout);
    let check = env.tenantry(&["target", "check"]).await;
    assert!(check.stdout.contains("the shared tables of notes 1.0"), "{check}");
    // The tenant can still be removed.
    env.rollback("one").await;
}

#[tokio::test]
async fn a_function_of_an_earlier_release_goes_though_it_stands_where_no_owner_can_replace_it() {
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    env.add_blueprint(Folder::shared(&env.dir, "notes", "1.0").migration("notes", NOTES).path()).await;
    env.provision_of("one", "notes").await;
    let pool = pool(&env).await;
    let earlier = format!(
        "create or replace function tenantry.{pool}_picture() returns text language sql as $$ select 'earlier' $$;
         update tenantry.pool set rules = 1;"
    );
    env.cluster.execute(&env.target_db, earlier).await;
    env.restart_with("").await;
    env.tenantry(&["tenant", "verify", "one"]).await.assert_status(0);
    let told = format!("select (tenantry.{pool}_picture() <> 'earlier')::text");
    assert_eq!(seen(&env, told).await, "true", "the function is the one of now");
}
