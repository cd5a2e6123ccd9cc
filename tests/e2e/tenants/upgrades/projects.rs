//! The built-in blueprint `projects`, from its first version through the one that expands to the one that contracts, with rows in
//! its tables and its application at work.

use tenantry_harness::{Env, Folder, Provisioned};

async fn answer(env: &Env, made: &Provisioned, sql: &str) -> String {
    env.psql(&made.credentials, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// Brings a tenant with the sample data through all versions of the blueprint.
async fn goes_through_all_versions(env: &Env, blueprint: &str) {
    let first = format!("{blueprint}@1.0");
    let create = ["tenant", "create", "acme", "--blueprint", &first, "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    let counts = "select (select count(*) from users) || ' ' || (select count(*) from tasks) || ' ' || (select count(*) from activity)";
    let before = answer(env, &made, counts).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "2.0"]).await.assert_status(5);
    refused.assert_says(&["acme has 1.0: upgrade to 1.1 first"]);

    env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.1"]).await.assert_status(0);
    assert_eq!(
        answer(env, &made, counts).await,
        before,
        "nobody's row is lost, and the feed tells of no change"
    );
    assert_eq!(answer(env, &made, "select count(*) from labels where slug is null").await, "0");
    let zones = "select string_agg(time_zone, ' ' order by time_zone) from user_preferences";
    let zones = answer(env, &made, zones).await;
    assert!(zones.contains("Asia/Tokyo") && zones.contains("Europe/Madrid"), "{zones}");
    let labelled = "select count(*) > 0 from open_tasks where cardinality(labels) > 0";
    assert_eq!(answer(env, &made, labelled).await, "t", "the view has its new column");
    let index = "select indisvalid from pg_index where indexrelid = 'activity_subject_idx'::regclass";
    assert_eq!(answer(env, &made, index).await, "t");

    // The first version's application still works, and what it writes is in both places; so is what the second one writes.
    let old = "insert into users (email, display_name, time_zone) values ('new@example.com', 'New', 'Asia/Seoul'); \
               insert into labels (name) values ('To do!'), ('日本'); update users set locale = 'ko' where email = 'new@example.com'";
    env.psql(&made.credentials, old).await.assert_status(0);
    let copied = "select p.time_zone || ' ' || p.locale from user_preferences p join users u on u.id = p.user_id where email = 'new@example.com'";
    assert_eq!(answer(env, &made, copied).await.lines().last(), Some("Asia/Seoul ko"));
    let new = "update user_preferences set time_zone = 'Asia/Tokyo' from users u where u.id = user_id and email = 'new@example.com'";
    env.psql(&made.credentials, new).await.assert_status(0);
    assert_eq!(
        answer(env, &made, "select time_zone from users where email = 'new@example.com'").await,
        "Asia/Tokyo"
    );
    let slugs = "select count(*) from labels where slug = 'to-do' or slug like 'label-%'";
    assert_eq!(answer(env, &made, slugs).await, "2");

    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "2.0");
    let gone = env.psql(&made.credentials, "select time_zone from users").await.assert_status(1);
    gone.assert_says(&["42703"]);
    assert_eq!(answer(env, &made, "select count(*) from user_preferences").await, "7");
    let nulls = "insert into labels (name, slug) values ('x', default) returning slug";
    assert_eq!(answer(env, &made, nulls).await.lines().next(), Some("x"));
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
    env.rollback("acme").await;
}

#[tokio::test]
async fn a_tenant_of_projects_keeps_its_rows_through_all_versions() {
    let env = Env::new().await;
    goes_through_all_versions(&env, "projects").await;
    // The newest version is what a new tenant gets, sample data and all.
    let create = ["tenant", "create", "birch", "--blueprint", "projects", "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    assert_eq!(made.tenant.version.to_string(), "2.0");
    assert_eq!(answer(&env, &made, "select count(*) from user_preferences where locale = 'de'").await, "2");
    env.tenantry(&["tenant", "verify", "birch"]).await.assert_status(0);
}

#[tokio::test]
async fn a_tenant_with_a_database_of_its_own_keeps_its_rows_through_all_versions() {
    let env = Env::new().await;
    for folder in Folder::all_projects_in_databases(&env.dir) {
        env.add_blueprint(folder.path()).await;
    }
    goes_through_all_versions(&env, "projects-in-databases").await;
}
