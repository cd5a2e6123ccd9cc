//! A tenant can always be removed: nothing that it, or another tenant, leaves behind holds the removal up.

use crate::harness::{Cluster, Env, Folder, Version};

/// A tenant grants rights to its neighbour, whose roles then have entries in privileges that are not its own.
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
    // A blueprint that did so itself would not be provisioned.
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
    // A login can give things away too.
    let by_login = format!(
        "alter default privileges grant select on tables to {0}_a;
         do $$ begin execute format('grant select on large object %s to {0}_app', lo_create(0)); end $$;",
        leaving.tenant.placement
    );
    env.psql(&giver.credentials, &by_login).await.assert_status(0);

    env.rollback("leaving").await;
    env.assert_clean_slate(&leaving.tenant.placement).await;
    // The giver kept what it has, and goes as completely.
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
