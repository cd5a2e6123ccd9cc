//! What an upgrade would cost, told before it begins; and what takes something away, which only a version that says so may do.

use sqlx::Connection as _;
use tenantry_harness::{Env, Folder, Output};

use super::{first, first_again, second, shop};

fn prints(output: &Output, parts: &[&str]) {
    for part in parts {
        assert!(output.stdout.contains(part), "'{part}' is not in\n{output}");
    }
}

#[tokio::test]
async fn what_an_upgrade_would_cost_is_told_when_a_version_is_checked_and_added() {
    let env = Env::new().await;
    let first = first(&env);
    let alone = env.tenantry(&["blueprint", "check", first.path()]).await.assert_status(0);
    assert!(alone.stdout.contains("0 findings"), "{alone}");
    env.add_blueprint(first.path()).await;
    let second = second(&env);
    for command in ["check", "add"] {
        let told = env.tenantry(&["blueprint", command, second.path()]).await.assert_status(0);
        prints(
            &told,
            &["V2__price.sql:2: warning[live_unbatched]", "`update items set price = 1`", "Safe: "],
        );
    }
    // Compared with the newest earlier version, which has that file already.
    let third = first_again(&env, "1.2")
        .migration(
            "price",
            "alter table items add column price numeric;\nupdate items set price = 1;\ncreate table sales (id int primary key);",
        )
        .migration("index", "create index items_price on items (price);")
        .repeatable("names", "create or replace view names as select name, price from items;");
    let report = env.tenantry(&["blueprint", "check", third.path(), "--json"]).await.assert_status(0).json();
    let codes: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["live_index"]);
}

/// A version that renames a column which the first one has.
fn renaming(env: &Env, version: &str) -> Folder {
    first_again(env, version)
        .migration("label", "alter table items rename column name to label;")
        .repeatable("names", "create or replace view names as select label as name from items;")
}

#[tokio::test]
async fn a_version_that_takes_something_away_without_saying_so_is_stored_and_upgrades_nobody() {
    let env = Env::new().await;
    shop(first(&env), &env).await;
    let stored = env.tenantry(&["blueprint", "add", renaming(&env, "1.1").path()]).await.assert_status(0);
    prints(&stored, &["V2__label.sql:1: warning[live_rename]"]);
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(5);
    refused.assert_says(&["V2__label.sql:1", "renames name of items", "phase = \"contract\""]);
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
    // Its own new tenants never had the other form.
    env.tenantry(&["tenant", "create", "birch", "--blueprint", "shop@1.1"]).await.assert_status(0);
}

#[tokio::test]
async fn a_contract_is_for_tenants_that_have_the_version_before_it() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let expanded = first_again(&env, "1.1")
        .repeatable("names", "create or replace view names as select name from items;")
        .repeatable("more", "create or replace view more as select name as label from items;");
    env.add_blueprint(expanded.path()).await;
    env.add_blueprint(renaming(&env, "2.0").contract("1.1", Some("7d")).path()).await;
    let shown = env.tenantry(&["blueprint", "show", "shop@2.0"]).await.assert_status(0);
    prints(&shown, &["contract   when all tenants have had 1.1 or a later version for 7 days"]);
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(5);
    refused.assert_says(&["versions before 1.1", "acme has 1.0: upgrade to 1.1 first"]);
    env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.1"]).await.assert_status(0);
    let young = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(5);
    young.assert_says(&["for too short a time", "7 days"]);
    let aged = "update control.tenant set version_since = now() - interval '8 days'";
    sqlx::query(aged).execute(&mut env.control().await).await.unwrap();
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let labels = env.psql(&made.credentials, "select label from items order by 1").await.assert_status(0);
    assert_eq!(labels.stdout.trim(), "ink\npen");
}

#[tokio::test]
async fn who_has_prepared_a_select_of_all_columns_is_told_of_in_the_plan() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let login = &made.credentials;
    let options = env.cluster.options(&login.database).username(&login.role);
    let options = options.password(login.password.as_deref().unwrap());
    let mut client = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let all = "select * from items order by id limit 1";
    let named = "select name from items order by id limit 1";
    for sql in [all, named] {
        sqlx::query(sql).fetch_one(&mut client).await.unwrap();
    }
    env.add_blueprint(second(&env).path()).await;
    let plan = env.tenantry(&["blueprint", "upgrade", "shop", "--plan"]).await.assert_status(0);
    prints(
        &plan,
        &["warning[live_prepared]: gives items other columns", "cached plan must not change result type"],
    );
    env.tenantry(&["blueprint", "upgrade", "shop"]).await.assert_status(0);
    sqlx::query(named).fetch_one(&mut client).await.unwrap();
    let refused = sqlx::query(all).fetch_one(&mut client).await.unwrap_err();
    assert!(refused.to_string().contains("cached plan must not change result type"), "{refused}");
}
