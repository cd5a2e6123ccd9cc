//! A blueprint gives away rights on its own tenant's objects, hidden from the lints that read its text: the provision
//! detects it and is undone.

use tenantry_harness::catalog::Snapshot;
use tenantry_harness::{Cluster, Env, Folder, Version};
use tenantry_protocol::name::PlacementName;

const OBJECTS: &str = "create table a (id serial primary key, note text);
    create function f() returns int language sql return 1;
    create type mood as enum ('calm');";

fn hidden(sql: &str) -> String {
    format!("do $$ begin execute format('{}', current_schema()); end $$;", sql.replace('\'', "''"))
}

/// What a blueprint does, by name, and the finding that must be reported.
fn gifts(neighbour: &PlacementName, group: &str) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("table", hidden("grant select on a to public"), "table {own}.a is open to PUBLIC"),
        (
            "column",
            hidden("grant update (note) on a to public"),
            "column note of table {own}.a is open to PUBLIC",
        ),
        (
            "function",
            hidden("grant execute on function f() to public"),
            "function {own}.f() is open to PUBLIC",
        ),
        ("schema", hidden("grant usage on schema %I to public"), "schema {own} is open to PUBLIC"),
        (
            "tenant",
            hidden(&format!("grant select on a to {neighbour}_app")),
            "table {own}.a is open to {neighbour}_app",
        ),
        ("login", hidden(&format!("grant select (id) on a to {neighbour}_b")), "a is open to {neighbour}_b"),
        (
            "everybody",
            hidden(&format!("grant usage on schema %I to {group}")),
            "schema {own} is open to tenantry_g_",
        ),
        (
            "later",
            hidden("alter default privileges grant select on tables to public")
                + "create table b (id int primary key);",
            "table {own}.b is open to PUBLIC",
        ),
        (
            "large-object",
            "do $$ begin execute format('grant select on large object %s to public', lo_create(0)); end $$;"
                .to_owned(),
            " is open to PUBLIC (SELECT)",
        ),
        (
            "defaults",
            hidden("alter default privileges grant usage on sequences to public"),
            "default privileges on new sequences belonging to role {own} is open to PUBLIC (USAGE)",
        ),
        (
            "functions",
            hidden("alter default privileges grant execute on functions to public"),
            "every function that {own} makes later is open to PUBLIC",
        ),
    ]
}

async fn several_are_told_together(env: &Env, neighbour: &PlacementName) {
    let many = format!(
        "do $$ begin
            execute 'grant usage on type mood to {neighbour}_app';
            execute 'grant usage on sequence a_id_seq to public';
            execute 'grant select on a to pg_monitor';
            execute format('grant update on large object %s to {neighbour}_a', lo_create(0));
            execute 'alter default privileges grant select on tables to {neighbour}';
            execute format('grant truncate on a to %I_app', current_schema());
            execute format('grant create on schema %1$I to %1$I_app', current_schema());
            execute format('grant select on a to %I_b with grant option', current_schema());
        end $$;"
    );
    let folder = Folder::new(&env.dir, "many", "1.0").migration("own", OBJECTS).migration("give", &many);
    env.add_blueprint(folder.path()).await;
    let output = env.tenantry(&["tenant", "create", "giver", "--blueprint", "many"]).await;
    let own = env.tenant("giver").await.tenant.placement;
    let told = [
        format!("type {own}.mood is open to {neighbour}_app (USAGE)"),
        format!("sequence {own}.a_id_seq is open to PUBLIC (USAGE)"),
        format!("table {own}.a is open to pg_monitor (SELECT)"),
        format!("is open to {neighbour}_a (UPDATE)"),
        format!(
            "default privileges on new relations belonging to role {own} is open to {neighbour} (SELECT)"
        ),
        format!("schema {own} is open to {own}_app (CREATE, USAGE)"),
        format!("table {own}.a is open to {own}_b (SELECT with grant option)"),
        format!("table {own}.a is open to {own}_app (DELETE, INSERT, SELECT, TRUNCATE, UPDATE)"),
    ];
    output.assert_status(1).assert_says(&told.each_ref().map(String::as_str));
    env.assert_clean_slate(&own).await;
}

async fn what_a_blueprint_gives_away_undoes_its_provisioning(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let neighbour = env.provision("neighbour").await.tenant.placement;
    let group = "select group_role from tenantry.target_identity";
    let group: String = sqlx::query_scalar(group).fetch_one(&mut env.target().await).await.unwrap();
    let in_database = Folder::new(&env.dir, "first", "1.0").migration("own", OBJECTS).in_databases();
    env.add_blueprint(in_database.path()).await;
    // The template and the canary of such tenants stay.
    env.provision_of("first", "first").await;
    let before = Snapshot::take(&env).await;
    // The newer server gets all kinds at once, below: each is read from the same catalog.
    let one_by_one = if version == Version::Packaged { gifts(&neighbour, &group) } else { Vec::new() };
    for (name, sql, told) in one_by_one {
        for blueprint in [name.to_owned(), format!("{name}-in-databases")] {
            let folder = Folder::new(&env.dir, &blueprint, "1.0");
            let folder = if blueprint == name { folder } else { folder.in_databases() };
            let folder = folder.migration("own", OBJECTS).migration("give", &sql);
            env.add_blueprint(folder.path()).await;
            let output = env.tenantry(&["tenant", "create", "giver", "--blueprint", &blueprint]).await;
            let own = env.tenant("giver").await.tenant.placement;
            let told = told.replace("{own}", own.as_str()).replace("{neighbour}", neighbour.as_str());
            output.assert_status(1).assert_says(&["lint given_away", &told, "new version of the blueprint"]);
            env.assert_clean_slate(&own).await;
        }
    }
    several_are_told_together(&env, &neighbour).await;
    let left = before.difference(&Snapshot::take(&env).await);
    assert!(left.is_empty(), "{left:#?}");
    // What it grants to its own roles is its own business.
    let own = hidden("grant select on a to %1$I_app, %1$I_a")
        + &hidden("revoke execute on function f() from %I_app");
    let folder = Folder::new(&env.dir, "own", "1.0").migration("own", OBJECTS).migration("give", &own);
    env.add_blueprint(folder.path()).await;
    env.provision_of("own", "own").await;
}

#[tokio::test]
async fn what_a_blueprint_gives_away_undoes_its_provisioning_on_the_packaged_postgresql() {
    what_a_blueprint_gives_away_undoes_its_provisioning(Version::Packaged).await;
}

#[tokio::test]
async fn what_a_blueprint_gives_away_undoes_its_provisioning_on_postgresql_18() {
    what_a_blueprint_gives_away_undoes_its_provisioning(Version::V18).await;
}
