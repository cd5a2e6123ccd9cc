//! A tenant is made: its roles and privileges, its login, its name, its plan.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::postgres::PgConnection;
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Provisioned};
use tenantry_protocol::tenant::ProvisionRequest;

#[tokio::test]
async fn a_provisioned_tenant_is_active_and_its_isolation_held() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    assert_eq!(made.operation.state.name(), "succeeded");
    assert!(made.operation.duration_ms.is_some_and(|ms| ms > 0.0));
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "active");
    let report = detail.isolation.expect("every provision verifies");
    assert!(report.holds(), "{report:?}");
    let probes: Vec<&str> = report.verdicts.iter().map(|verdict| verdict.probe.as_str()).collect();
    for probe in ["read", "write", "create", "drop", "set_role"] {
        assert!(probes.contains(&probe), "no probe '{probe}' in {probes:?}");
    }
}

async fn roles_of(connection: &mut PgConnection, placement: &str) -> BTreeMap<String, Value> {
    let rows: Vec<(String, Value)> = sqlx::query_as(
        "select substr(rolname, length($1) + 1), to_jsonb(r) || jsonb_build_object('config', coalesce(rolconfig, '{}'))
         from pg_roles r where starts_with(rolname, $1)",
    )
    .bind(placement)
    .fetch_all(connection)
    .await
    .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn a_tenants_roles_can_do_what_they_are_for_and_no_more() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let roles = roles_of(&mut env.target().await, made.tenant.placement.as_str()).await;
    assert_eq!(roles.keys().map(String::as_str).collect::<Vec<_>>(), ["", "_a", "_app", "_b", "_probe"]);
    for (suffix, role) in &roles {
        for power in ["rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls"] {
            assert_eq!(role[power], false, "{suffix} has {power}");
        }
        assert_eq!(role["rolcanlogin"], suffix == "_a", "only slot a can log in, this is {suffix}");
    }
    for slot in ["_a", "_b"] {
        let config = roles[slot]["config"].to_string();
        let path = format!("search_path={}", made.tenant.placement);
        assert!(config.replace(['\\', '"', ' '], "").contains(&path), "search_path of {slot}: {config}");
        assert_ne!(roles[slot]["rolconnlimit"], -1, "{slot} has a connection limit");
    }
    assert_eq!(made.credentials.role, format!("{}_a", made.tenant.placement));
}

#[tokio::test]
async fn the_application_reads_and_writes_but_neither_creates_nor_truncates() {
    let env = Env::new().await;
    let login = env.provision("acme").await.credentials;
    for sql in [
        "insert into users (email, display_name) values ('ada@example.test', 'Ada')",
        "update users set display_name = 'Ada L.' where email = 'ada@example.test'",
    ] {
        env.psql(&login, sql).await.assert_status(0);
    }
    let output = env.psql(&login, "select display_name from users").await.assert_status(0);
    assert_eq!(output.stdout.trim(), "Ada L.");
    env.psql(&login, "delete from users").await.assert_status(0);
    for refused in [
        "create table mine (a int)",
        "create table public.mine (a int)",
        "create schema mine",
        "truncate users cascade",
        "alter table users add column more text",
        "drop table users cascade",
        "create trigger t before insert on users execute function suppress_redundant_updates_trigger()",
        "create role mine",
        "alter role current_user createrole",
        "select * from tenantry.placement",
        "select * from tenantry.migration_history",
    ] {
        env.psql(&login, refused).await.assert_status(1).assert_says(&["42501"]);
    }
}

/// Every table and view of a schema, for the tests that touch all of them.
async fn relations_of(env: &Env, made: &Provisioned) -> Vec<String> {
    sqlx::query_scalar(
        "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class
         where relnamespace = $1::regnamespace and relkind in ('r', 'v', 'm', 'p') order by 1",
    )
    .bind(made.tenant.placement.as_str())
    .fetch_all(&mut env.target().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_tenant_is_refused_on_every_table_of_every_other_tenant() {
    let env = Env::new().await;
    let (acme, globex) = (env.provision("acme").await, env.provision("globex").await);
    for (attacker, victim) in [(&acme, &globex), (&globex, &acme)] {
        let relations = relations_of(&env, victim).await;
        assert!(relations.len() >= 12, "the blueprint has its tables: {relations:?}");
        // One session for all of them: each attempt must end with 42501, otherwise the script names the one that did not.
        let attempts: Vec<String> = relations
            .iter()
            .map(|name| format!("select from {name}"))
            .chain(relations.iter().map(|name| format!("delete from {name}")))
            .collect();
        let list = attempts.iter().map(|sql| format!("$q${sql}$q$")).collect::<Vec<_>>().join(",");
        let script = format!(
            "do $$ declare attempt text; begin foreach attempt in array array[{list}] loop
                 begin execute attempt; raise exception 'not refused: %', attempt using errcode = 'P0999';
                 exception when insufficient_privilege then null; end;
             end loop; end $$"
        );
        env.psql(&attacker.credentials, &script).await.assert_status(0);
        let first = format!("select * from {}", relations[0]);
        env.psql(&attacker.credentials, &first).await.assert_status(1).assert_says(&["42501"]);
    }
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_operation_and_another_request_a_conflict() {
    let env = Env::new().await;
    let create =
        ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--idempotency-key", "k1", "--json"];
    let first = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    let replay = env.tenantry(&create).await.assert_status(0).json();
    assert_eq!(replay["operation"]["id"], first.operation.id.to_string());
    let other =
        ["tenant", "create", "other", "--blueprint", "projects@1.0", "--idempotency-key", "k1", "--json"];
    let conflict = env.tenantry(&other).await.assert_status(5).assert_says(&["idempotency key"]);
    assert_eq!(conflict.json()["error"]["code"], "conflict");
    assert_eq!(env.tenantry(&["tenant", "list", "--json"]).await.json()["total"], 1);
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_that_says_so() {
    let env = Env::new().await;
    env.provision("acme").await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json"]).await;
    let error = output.assert_status(5).assert_says(&["acme"]).json();
    assert_eq!((&error["error"]["code"], &error["error"]["field"]), (&"conflict".into(), &"slug".into()));
}

#[tokio::test]
async fn a_name_can_be_used_again_after_a_rollback_by_a_tenant_with_another_id() {
    let env = Env::new().await;
    let first = env.provision("acme").await;
    env.rollback("acme").await;
    env.assert_clean_slate(&first.tenant.placement).await;
    let second = env.provision("acme").await;
    assert_ne!(first.tenant.id, second.tenant.id);
    assert_ne!(first.tenant.placement, second.tenant.placement);
    let all = env.tenantry(&["tenant", "list", "--all", "--json"]).await.assert_status(0).json();
    assert_eq!(all["total"], 2, "the history stays: {all}");
}

#[tokio::test]
async fn a_rollback_cuts_sessions_and_leaves_nothing() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let neighbour = env.provision("globex").await;
    // Holds a lock on the tenant's tables, which the removal would have to wait for.
    let sql =
        "begin; insert into users (email, display_name) values ('a@example.test', 'A'); select pg_sleep(600)";
    let (session, ()) = tokio::join!(env.psql(&made.credentials, sql), async {
        let mut admin = env.target().await;
        tenantry_harness::eventually("the session sleeps", async || {
            let busy = "select true from pg_stat_activity where usename = $1 and wait_event = 'PgSleep'";
            sqlx::query_scalar::<_, bool>(busy)
                .bind(&made.credentials.role)
                .fetch_optional(&mut admin)
                .await
                .unwrap()
        })
        .await;
        env.rollback("acme").await;
    });
    assert_ne!(session.status, 0, "the session was cut\n{session}");
    env.assert_clean_slate(&made.tenant.placement).await;
    let rows = env.psql(&neighbour.credentials, "select count(*) from users").await.assert_status(0);
    assert_eq!(rows.stdout.trim(), "0", "the neighbour is there and works");
}

#[tokio::test]
async fn an_approved_plan_runs_only_while_it_is_the_same() {
    let env = Env::new().await;
    let plan = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json", "--plan"];
    let hash = env.tenantry(&plan).await.assert_status(0).json()["hash"].as_str().unwrap().to_owned();
    assert_eq!(hash.len(), 64);
    let again = env.tenantry(&plan).await.json();
    assert_eq!(again["hash"], hash.as_str(), "a plan's hash does not change by itself");
    assert_eq!(
        env.tenantry(&["tenant", "list", "--all", "--json"]).await.json()["total"],
        0,
        "a plan changes nothing"
    );

    let create = |approve, more: &'static [&'static str]| {
        let mut all =
            vec!["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json", "--approve", approve];
        all.extend(more);
        all
    };
    let wrong = "0".repeat(64);
    env.tenantry(&create(&wrong, &[])).await.assert_status(5).assert_says(&["plan"]);
    // The hash is right, but belongs to another request.
    env.tenantry(&create(&hash, &["--set", "connection_limit=7"])).await.assert_status(5);
    env.tenantry(&create(&hash, &["--label", "tier=gold"])).await.assert_status(5);
    assert_eq!(
        env.tenantry(&["tenant", "list", "--all", "--json"]).await.json()["total"],
        0,
        "nothing happened"
    );
    env.tenantry(&create(&hash, &[])).await.assert_status(0);
}

#[tokio::test]
async fn settings_and_labels_arrive_at_the_tenant() {
    let env = Env::new().await;
    let output = env
        .tenantry(&[
            "tenant",
            "create",
            "acme",
            "--blueprint",
            "projects@1.0",
            "--name",
            "Acme GmbH",
            "--label",
            "tier=gold",
            "--set",
            "connection_limit=7",
            "--seed",
            "--json",
        ])
        .await
        .assert_status(0);
    let made = Provisioned::from(&output.json());
    assert_eq!(made.tenant.display_name, "Acme GmbH");
    assert_eq!(made.tenant.labels["tier"], "gold");
    assert_eq!(made.tenant.settings["connection_limit"], 7);
    let roles = roles_of(&mut env.target().await, made.tenant.placement.as_str()).await;
    assert_eq!(roles["_a"]["rolconnlimit"], 7);
    let users = env.psql(&made.credentials, "select count(*) > 0 from users").await.assert_status(0);
    assert_eq!(users.stdout.trim(), "t", "the seed's rows are there");
}

#[tokio::test]
async fn eight_tenants_at_once_all_become_active() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let mut started = Vec::new();
    for number in 0..8 {
        let client = client.clone();
        started.push(tokio::spawn(async move {
            let request = ProvisionRequest {
                slug: format!("tenant-{number}"),
                blueprint: "projects".into(),
                version: Some("1.0".into()),
                ..ProvisionRequest::default()
            };
            client.provision(context(), request).await.unwrap().unwrap().operation.id.to_string()
        }));
    }
    for operation in started {
        env.wait_for_operation(&operation.await.unwrap(), "succeeded").await;
    }
    let listed = env.tenantry(&["tenant", "list", "--json"]).await.assert_status(0).json();
    assert_eq!(listed["total"], 8);
    for tenant in listed["tenants"].as_array().unwrap() {
        assert_eq!(tenant["state"]["name"], "active", "{tenant}");
    }
}

#[tokio::test]
async fn credentials_can_be_issued_again_and_the_old_secret_stops_working() {
    let env = Env::new().await;
    let old = env.provision("acme").await.credentials;
    let output = env.tenantry(&["tenant", "credentials", "acme", "issue", "--json"]).await.assert_status(0);
    let document = output.json();
    let inner = document.get("credentials").unwrap_or(&document).clone();
    let new: tenantry_protocol::tenant::Credentials = serde_json::from_value(inner).unwrap();
    assert_eq!(old.role, new.role);
    assert_ne!(old.password, new.password);
    env.psql(&new, "select count(*) from users").await.assert_status(0);
    env.psql(&old, "select 1").await.assert_status(2).assert_says(&["password"]);
}
