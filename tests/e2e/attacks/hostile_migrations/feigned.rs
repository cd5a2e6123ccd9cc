//! A role that can make an object can write the number of another's object into an expression, without any right on that
//! object, and the server records a dependency. It counts against nobody, delays nobody, and keeps nothing of the daemon's
//! in place.

use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::tenancy_shared::{pool, seen};

/// Expressions with the numbers of all objects of others, in each kind of object that can hold an expression.
const FEIGNED: &str = "
    do $do$
    declare one record; number int := 0;
    begin
        for one in select c.oid::regclass::oid as oid, format('%s::regclass', quote_literal(c.oid::text)) as said
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname ~ '^t_' and n.nspname <> current_schema() and c.relkind in ('r', 'p', 'S', 'v')
                   union all
                   select n.oid, format('%s::regnamespace', quote_literal(n.oid::text)) from pg_namespace n
                   where n.nspname ~ '^t_' and n.nspname <> current_schema() or n.nspname = 'tenantry'
                   union all
                   select f.oid, format('%s::regprocedure', quote_literal(f.oid::text))
                   from pg_proc f join pg_namespace n on n.oid = f.pronamespace
                   where n.nspname ~ '^t_' and n.nspname <> current_schema() or n.nspname = 'tenantry'
                   union all
                   select t.oid, format('%s::regtype', quote_literal(t.oid::text)) from pg_type t join pg_namespace n on n.oid = t.typnamespace
                   where n.nspname ~ '^t_' and n.nspname <> current_schema() and t.typtype in ('e', 'd') loop
            number := number + 1;
            execute format('create view v%s as select %s as feigned', number, one.said);
            execute format('create table c%s (id int primary key, x oid default (%s)::oid check (x <> (%s)::oid))', number, one.said, one.said);
            execute format('create function f%s() returns oid language sql begin atomic select (%s)::oid; end', number, one.said);
            execute format('create table p%s (k oid) partition by list ((k = (%s)::oid))', number, one.said);
            execute format('create index i%s on c%1$s ((x = (%s)::oid))', number, one.said);
            execute format('create statistics s%s on (x = (%s)::oid), id from c%1$s', number, one.said);
            execute format('alter table c%s enable row level security', number);
            execute format('create policy y%s on c%1$s using (x = (%s)::oid)', number, one.said);
            execute format('create domain d%s as oid default (%s)::oid check (value <> (%2$s)::oid)', number, one.said);
        end loop;
    end $do$;";

async fn count_against_nobody(version: Version) {
    let mut env = Env::on(Cluster::private(version)).await;
    let plain = "create table a (id int primary key); create type mood as enum ('good'); create sequence n;";
    env.add_blueprint(Folder::new(&env.dir, "plain", "1.0").migration("tables", plain).path()).await;
    let leaving = env.provision_of("leaving", "plain").await.tenant.placement;
    env.provision_of("staying", "plain").await;
    env.provision_of("sharing", "ledger").await;
    let forger = Folder::new(&env.dir, "forger", "1.0").migration("feigned", FEIGNED);
    env.add_blueprint(forger.path()).await;
    let create = ["tenant", "create", "refused", "--blueprint", "forger", "--json"];
    let refused = env.tenantry(&create).await.assert_status(1).json();
    let failure = &refused["operation"]["state"]["failure"];
    assert_eq!(failure["step"], "verify", "{refused}");
    assert!(failure["message"].as_str().unwrap().contains("lint cross_references"), "{refused}");
    env.assert_clean_slate(&env.tenant("refused").await.tenant.placement).await;
    // An existing tenant from an earlier release.
    let owner = env.provision_of("forger", "plain").await.tenant.placement;
    env.cluster
        .execute(&env.target_db, format!("set role {owner}; set search_path = {owner}; {FEIGNED}"))
        .await;
    let feigned =
        format!("select (count(*) > 5)::text from pg_depend where refobjid = '{leaving}'::regnamespace");
    assert_eq!(seen(&env, feigned).await, "true", "the server believes it");

    for slug in ["staying", "leaving", "sharing"] {
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
    }
    let told = env.tenantry(&["tenant", "verify", "forger"]).await.assert_status(6);
    assert!(told.stdout.contains("stands on"), "{told}");
    env.provision_of("joining", "ledger").await;
    let check = env.tenantry(&["target", "check"]).await;
    assert!(check.stdout.contains("pools of shared tables keep their tenants apart"), "{check}");
    env.rollback("leaving").await;
    let left = format!("select count(*)::text from pg_namespace where nspname = '{leaving}'");
    assert_eq!(seen(&env, left).await, "0");
    env.rollback("joining").await;

    // A daemon of a later release makes its canary again.
    let canary = "select placement from tenantry.placement where kind = 'canary' and state = 'active'";
    let before = seen(&env, canary.into()).await;
    let of_before =
        "update tenantry.migration_history set checksum = 'of an earlier release' where placement in
                     (select placement from tenantry.placement where kind = 'canary')";
    env.cluster.execute(&env.target_db, of_before.into()).await;
    env.restart_with("").await;
    env.provision_of("coming", "plain").await;
    assert_ne!(seen(&env, canary.into()).await, before, "the canary of before could be removed");
    assert!(!pool(&env).await.is_empty());
    env.tenantry(&["tenant", "verify", "sharing"]).await.assert_status(0);
    env.rollback("forger").await;
}

#[tokio::test]
async fn feigned_dependencies_count_against_nobody_else() {
    count_against_nobody(Version::Packaged).await;
}

#[tokio::test]
async fn feigned_dependencies_count_against_nobody_else_on_postgresql_18() {
    count_against_nobody(Version::V18).await;
}
