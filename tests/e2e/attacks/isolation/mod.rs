//! The verifier verified: on a properly closed target everything holds, and every planted hole is caught by the probe or
//! lint that is there for it.

mod given_away;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};
use tenantry_harness::isolation::proving_ground::ProvingGround;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, Version, eventually};
use tenantry_protocol::isolation::{Depth, Grade};

#[tokio::test]
async fn every_planted_misconfiguration_is_caught_by_its_probe_or_lint() {
    let ground = ProvingGround::new(Version::Packaged).await;
    let harvest = ground.plant_everything().await;
    assert!(harvest.wrong.is_empty(), "not caught: {:#?}", harvest.wrong);
    assert!(harvest.refused.is_empty(), "nobody could plant {:?}", harvest.refused);
}

#[tokio::test]
async fn a_target_that_nobody_closed_gets_a_b_and_says_what_an_administrator_runs() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    env.provision("acme").await;
    let output = env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
    assert!(output.stdout.contains("acme: grade B"), "{}", output.stdout);
    for part in ["probe advisory_lock", "an administrator runs: revoke execute", "notify: LISTEN"] {
        assert!(output.stdout.contains(part), "{part} is not in:\n{}", output.stdout);
    }
    assert_eq!(env.tenant("acme").await.tenant.isolation.unwrap().grade, Grade::B);
}

#[tokio::test]
async fn a_verdict_that_turns_bad_is_an_audit_event_a_badge_and_an_exit_status() {
    let env = Env::new().await;
    let acme = env.provision("acme").await.tenant.placement;
    env.provision("globex").await;
    let mut target = env.target().await;
    let open = format!("grant select on all tables in schema {acme} to public");
    sqlx::raw_sql(sqlx::AssertSqlSafe(open)).execute(&mut target).await.unwrap();
    for _ in 0..2 {
        let output = env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(6);
        assert!(output.stdout.contains("lint foreign_grants: SELECT to PUBLIC"), "{}", output.stdout);
    }
    let all = env.tenantry(&["tenant", "verify", "--all", "--json"]).await.assert_status(6).json();
    assert_eq!(all["tenants"][0]["grade"], "F", "{all}");
    assert_ne!(all["tenants"][1]["grade"], "F", "{all}");
    let list = env.tenantry(&["tenant", "list", "--json"]).await.assert_status(0).json();
    assert_eq!(list["tenants"][0]["isolation"]["grade"], "F", "{list}");
    // It turned bad only once.
    let events = env.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json();
    let events = events["events"].as_array().unwrap();
    let broken: Vec<_> = events.iter().filter(|event| event["action"] == "isolation.broken").collect();
    assert_eq!(broken.len(), 1, "{events:?}");
    assert_eq!(broken[0]["slug"], "acme");
}

#[tokio::test]
async fn the_probe_is_locked_out_again_after_a_verification() {
    let env = Env::new().await;
    let placement = env.provision("acme").await.tenant.placement;
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
    let mut target = env.target().await;
    let open: bool = sqlx::query_scalar("select rolcanlogin from pg_roles where rolname = $1")
        .bind(format!("{placement}_probe"))
        .fetch_one(&mut target)
        .await
        .unwrap();
    assert!(!open, "the probe can still log in");
}

#[tokio::test]
async fn a_tenant_that_takes_all_its_connections_leaves_the_others_theirs() {
    let env = Env::new().await;
    let create =
        ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--set", "connection_limit=5", "--json"];
    let greedy = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json()).credentials;
    let modest = env.provision("globex").await.credentials;
    let login = PgConnectOptions::new()
        .socket(&greedy.host)
        .port(greedy.port)
        .username(&greedy.role)
        .password(greedy.password.as_deref().unwrap())
        .database(&greedy.database);
    let mut taken = Vec::new();
    for _ in 0..5 {
        taken.push(login.connect().await.unwrap());
    }
    let refused = login.connect().await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("53300"), "{refused}");
    // The tenant cannot raise its own limit, either.
    let raise = format!("alter role {} connection limit 100", greedy.role);
    let error = taken[0].execute(sqlx::AssertSqlSafe(raise)).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{error}");
    env.psql(&modest, "select 1").await.assert_status(0);
}

#[tokio::test]
async fn a_hostile_blueprint_is_stopped_by_its_lints_by_privilege_or_by_verification() {
    let env = Env::new().await;
    let victim = env.provision("victim").await.tenant.placement;
    let hidden = |sql: &str| format!("do $$ begin execute '{}'; end $$;", sql.replace('\'', "\'\'"));
    // Written openly, it is stopped by a lint before anything is stored.
    for (name, sql, lint) in [
        ("roles", "create role intruder;", "role"),
        ("extension", "drop extension dblink;", "extension"),
        ("commits", "commit;", "transaction"),
    ] {
        let folder = Folder::new(&env.dir, name, "1.0").migration("hostile", sql);
        let output = env.tenantry(&["blueprint", "check", folder.path()]).await.assert_status(1);
        assert!(output.stdout.to_lowercase().contains(lint), "{name}: {}", output.stdout);
    }
    // Hidden from the lints, it is refused by the server: a migration has only the owner's rights.
    for (name, sql) in [
        ("hidden-role", hidden("create role intruder")),
        ("hidden-read", hidden(&format!("select * from {victim}.tasks"))),
        (
            "hidden-write",
            hidden(&format!("insert into {victim}.users (email, display_name) values ('x', 'x')")),
        ),
        ("hidden-file", hidden("select pg_read_file('PG_VERSION')")),
        ("public", hidden("create table public.a (id int primary key)")),
    ] {
        let folder = Folder::new(&env.dir, name, "1.0").migration("hostile", &sql);
        env.add_blueprint(folder.path()).await;
        let output = env.tenantry(&["tenant", "create", name, "--blueprint", name]).await.assert_status(1);
        assert!(output.stderr.contains("42501"), "{name}: {}", output.stderr);
    }
    // Rights that are given away undo the provision. Anything else that an owner may do with its own objects is found by a
    // full verification.
    for (name, sql, found) in [
        // A lint warns about this one.
        (
            "definer",
            "create function g() returns int language sql security definer return 1;".to_owned(),
            "lint definer_functions",
        ),
        (
            "hidden-definer",
            hidden("create function f() returns int language sql security definer return 1"),
            "lint definer_functions",
        ),
    ] {
        let folder = Folder::new(&env.dir, name, "1.0")
            .migration("hostile", &format!("create table a (id int primary key); {sql}"));
        env.add_blueprint(folder.path()).await;
        env.provision_of(name, name).await;
        let output = env.tenantry(&["tenant", "verify", name]).await.assert_status(6);
        assert!(output.stdout.contains(found), "{name}: {}", output.stdout);
    }
}

#[tokio::test]
async fn a_policy_that_trusts_a_setting_is_caught_by_a_tenant_that_sets_it() {
    let env = Env::new().await;
    for slug in ["acme", "globex"] {
        let create = ["tenant", "create", slug, "--blueprint", "ledger", "--seed"];
        env.tenantry(&create).await.assert_status(0);
    }
    let mut target = env.target().await;
    let pool: String =
        sqlx::query_scalar("select placement from tenantry.pool").fetch_one(&mut target).await.unwrap();
    let trusting = format!(
        "create policy planted on {pool}.accounts using (tenant_id::text = current_setting('app.tenant_id', true))"
    );
    target.execute(sqlx::AssertSqlSafe(trusting)).await.unwrap();
    let output = env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(6);
    for found in ["probe shared_context", "lint shared_tables"] {
        assert!(output.stdout.contains(found), "{found} is not in:\n{}", output.stdout);
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_verified_and_stays_suspended() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "suspended");
}

#[tokio::test]
async fn tenants_are_verified_in_their_turn_by_the_daemon_itself() {
    let env = Env::with_config(Cluster::shared(), "[limits]\nverify_every_s = 3600\n").await;
    for slug in ["acme", "globex"] {
        env.provision(slug).await;
    }
    // In a round of an hour over two tenants, the next one is a minute away; in a round of a second, half a second.
    let mut env = env;
    env.restart_with("[limits]\nverify_every_s = 1\n").await;
    for slug in ["acme", "globex"] {
        eventually(&format!("{slug} is verified"), async || {
            let tenant = env.tenant(slug).await.tenant;
            tenant.isolation.filter(|badge| badge.depth == Depth::Full)
        })
        .await;
    }
    let events = env.tenantry(&["operation", "list", "--json"]).await.assert_status(0).json();
    let operations = events["operations"].as_array().unwrap();
    let verify = operations.iter().find(|operation| operation["kind"] == "verify").unwrap();
    assert_eq!(verify["actor"], "tenantryd");
    // A request about a tenant meanwhile is not refused.
    for slug in ["acme", "globex"] {
        for action in ["suspend", "resume"] {
            env.tenantry(&["tenant", action, slug]).await.assert_status(0);
        }
    }
}
