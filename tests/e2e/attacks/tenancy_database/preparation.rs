//! What a target has for tenants with databases of their own: the template, the canary, and the checks beforehand.

use sqlx::Connection as _;
use tenantry_harness::{Env, Folder, Provisioned, Version};

use super::{PROJECTS, create, environment, template};

/// The databases that belong to no tenant: the template, and the canary's.
async fn nobodys(env: &Env, made: &[&Provisioned]) -> Vec<String> {
    let tenants: Vec<String> = made.iter().map(|made| made.tenant.placement.to_string()).collect();
    let mut target = env.target().await;
    let databases =
        "select datname || case when datistemplate then ' is a template' else '' end from pg_database
                     where datname ~ '^(t|tenantry_template)_' and datname <> all($1) order by datname desc";
    let databases = sqlx::query_scalar(databases).bind(tenants).fetch_all(&mut target).await.unwrap();
    target.close().await.unwrap();
    databases
}

#[tokio::test]
async fn a_template_or_a_canary_that_was_left_half_made_is_made_anew() {
    let mut env = environment(Version::Packaged).await;
    let first = create(&env, "first", &[]).await;
    let before = nobodys(&env, &[&first]).await;
    let template = template(&env).await;
    assert_eq!((before.len(), before[0].clone()), (2, format!("{template} is a template")));
    env.take_daemon().kill().await;
    let half_made = format!("alter database {template} with is_template false");
    env.cluster.execute("postgres", half_made).await;
    let half_made = "update tenantry.placement set state = 'building' where kind = 'canary_database'";
    env.cluster.execute(&env.target_db, half_made.to_owned()).await;
    env.start_daemon().await;
    let second = create(&env, "second", &[]).await;
    let after = nobodys(&env, &[&first, &second]).await;
    assert_eq!((after.len(), &after[0]), (2, &before[0]), "{after:?}");
    assert_ne!(after[1], before[1], "another canary");
}

#[tokio::test]
async fn an_earlier_builds_template_is_copied_with_what_was_put_into_it_and_goes() {
    let mut env = environment(Version::Packaged).await;
    let first = create(&env, "first", &[]).await;
    let template = template(&env).await;
    env.take_daemon().stop().await;
    env.cluster.execute(&template, "create extension pg_trgm schema tenantry_ext".to_owned()).await;
    let earlier = format!("{}0", template.trim_end_matches(|c: char| c.is_ascii_digit()));
    env.cluster.execute("postgres", format!("alter database {template} rename to {earlier}")).await;
    env.start_daemon().await;
    let second = create(&env, "second", &[]).await;
    let after = nobodys(&env, &[&first, &second]).await;
    assert_eq!((after.len(), &after[0]), (2, &format!("{template} is a template")), "{after:?}");
    let similar = "select tenantry_ext.similarity('acme', 'acme')";
    assert_eq!(env.psql(&second.credentials, similar).await.assert_status(0).stdout.trim(), "1");
}

#[tokio::test]
async fn an_extension_that_the_template_lacks_is_told_with_the_statement_that_mends_it() {
    let env = environment(Version::Packaged).await;
    // One that the daemon does not install by itself.
    let folder = Folder::new(&env.dir, "pictures", "1.0")
        .migration("names", "create table names (name text primary key, picture lo);")
        .in_databases()
        .extension("lo");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "pictures", "--json"];
    let says = ["no extension lo", "connected to database tenantry_template_"];
    let refused = env.tenantry(&create).await.assert_status(5).assert_says(&says);
    let database = refused.stderr.split("connected to database ").nth(1).unwrap();
    let (database, statement) = database.split_once("): ").unwrap();
    let (database, _) = database.split_once(" (psql ").unwrap();
    let statement = statement.lines().next().unwrap().trim();
    env.cluster.execute(database, statement.to_owned()).await;
    let made = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    env.psql(&made.credentials, "select picture from names").await.assert_status(0);
}

#[tokio::test]
async fn a_provisioner_that_may_not_create_databases_is_told_before_anything_is_done() {
    let env = environment(Version::Packaged).await;
    env.cluster.execute("postgres", format!("alter role {} nocreatedb", env.provisioner)).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", PROJECTS, "--json"]).await;
    output.assert_status(5).assert_says(&["may not create databases", "CREATEDB"]);
}
