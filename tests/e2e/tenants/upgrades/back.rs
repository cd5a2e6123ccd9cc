//! Tenants that go back to an earlier version: with what takes the later files back, if a rehearsal has proven it, and not otherwise.

use serde_json::{Value, json};
use tenantry_harness::cli::Output;
use tenantry_harness::{Env, Folder};

use super::many::upgrade;
use super::{first, history, second, second_again};

const UNDO: &str = "drop view names;\nalter table items drop column price;\ndrop table sales;";

async fn downgrade(env: &Env, more: &[&str]) -> Output {
    let arguments =
        [&["blueprint", "downgrade", "shop@1.0", "--json", "--confirm", "shop"][..], more].concat();
    env.tenantry(&arguments).await
}

/// Tenants of version 1.1, with a row each, whose second file this takes back.
async fn at_the_second(env: &Env, slugs: &[&str], next: Folder) {
    env.add_blueprint(first(env).path()).await;
    for slug in slugs {
        let made = env.provision_of(slug, "shop").await;
        env.psql(&made.credentials, "insert into items (name) values ('pen')").await.assert_status(0);
    }
    env.add_blueprint(next.path()).await;
    upgrade(env, &[]).await.assert_status(0);
}

async fn version(env: &Env, slug: &str) -> String {
    env.tenant(slug).await.tenant.version.to_string()
}

fn reason(status: &Value) -> &str {
    status["upgrade"]["state"]["reason"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn tenants_go_back_lose_what_the_later_version_added_and_can_have_it_again() {
    let env = Env::new().await;
    at_the_second(&env, &["alpha", "bravo"], second(&env).undo("price", UNDO)).await;
    let plan = downgrade(&env, &["--plan", "--rehearse"]).await.assert_status(0).json();
    assert_eq!((&plan["course"], &plan["tenants"]), (&json!("back"), &json!(2)), "{plan}");
    assert_eq!(plan["from"][0]["files"], json!(["U2__price.sql", "R__names.sql"]), "{plan}");
    assert_eq!(plan["rehearsals"][0]["state"], "passed", "{plan}");
    let told = plan["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "taken_back");
    assert!(told.is_some_and(|finding| finding["message"].as_str().unwrap().contains("is lost")), "{plan}");
    assert_eq!(version(&env, "alpha").await, "1.1", "a plan changes nothing");

    let unsure = env.tenantry(&["blueprint", "downgrade", "shop@1.0", "--confirm", "stop"]).await;
    unsure.assert_status(2).assert_says(&["confirm it with the blueprint's name"]);
    let hash = plan["hash"].as_str().unwrap();
    let done = downgrade(&env, &["--approve", hash]).await.assert_status(0).json();
    assert_eq!(done["upgrade"]["state"]["name"], "succeeded", "{done}");
    assert_eq!((&done["upgrade"]["course"], &done["upgrade"]["counts"]["done"]), (&json!("back"), &json!(2)));
    for slug in ["alpha", "bravo"] {
        assert_eq!(version(&env, slug).await, "1.0");
        env.tenantry(&["tenant", "drift", slug]).await.assert_status(0);
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
    }
    let placement = env.tenant("alpha").await.tenant.placement;
    let tables = "select string_agg(c.relname, ' ' order by c.relname) from pg_class c
                  where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'v')";
    let tables: String =
        sqlx::query_scalar(tables).bind(placement.as_str()).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(tables, "items names");

    upgrade(&env, &[]).await.assert_status(0);
    assert_eq!(version(&env, "bravo").await, "1.1");
    env.tenantry(&["tenant", "drift", "bravo"]).await.assert_status(0);
    let ran = ["0 V1__items.sql", "1 R__names.sql"];
    let again = ["2 V2__price.sql", "3 R__names.sql", "4 V2__price.sql", "5 R__names.sql"];
    let both = ["6 V2__price.sql", "7 R__names.sql"];
    assert_eq!(
        history(&env, &env.target_db, placement.as_str()).await,
        [&ran[..], &again[..], &both[..]].concat()
    );
    env.tenantry(&["audit", "verify"]).await.assert_status(0);
}

#[tokio::test]
async fn nobody_goes_back_over_a_file_that_nothing_takes_back_until_the_version_has_one() {
    let env = Env::new().await;
    at_the_second(&env, &["alpha"], second(&env)).await;
    let refused = downgrade(&env, &[]).await;
    refused.assert_status(5).assert_says(&["V2__price.sql has nothing that takes it back", "undo file"]);
    let single = env.tenantry(&["tenant", "upgrade", "alpha", "--to", "1.0"]).await;
    single.assert_status(5).assert_says(&["blueprint downgrade shop@1.0"]);
    // The version stays what it is.
    let folder = second_again(&env, "1.1b").undo("price", UNDO);
    let manifest = format!("{}/blueprint.toml", folder.path());
    let text = std::fs::read_to_string(&manifest).unwrap().replace("1.1b", "1.1");
    std::fs::write(&manifest, text).unwrap();
    env.add_blueprint(folder.path()).await;
    let shown = env.tenantry(&["blueprint", "show", "shop@1.1", "--json"]).await.assert_status(0).json();
    assert!(shown.to_string().contains("\"way_back\":\"U2__price.sql\""), "{shown}");
    let shown = env.tenantry(&["blueprint", "show", "shop@1.1"]).await.assert_status(0);
    assert!(shown.stdout.contains("taken back by U2__price.sql"), "{shown}");
    let events = env.tenantry(&["audit", "list", "--action", "blueprint.undo", "--json"]).await;
    assert_eq!(events.assert_status(0).json()["events"].as_array().map(Vec::len), Some(1));
    downgrade(&env, &[]).await.assert_status(0);
    assert_eq!(version(&env, "alpha").await, "1.0");
}

#[tokio::test]
async fn what_does_not_lead_back_to_the_earlier_version_is_found_before_a_tenant_is_touched() {
    let env = Env::new().await;
    let forgetful = "drop view names;\nalter table items drop column price;";
    at_the_second(&env, &["alpha"], second(&env).undo("price", forgetful)).await;
    let paused = downgrade(&env, &[]).await.assert_status(6).json();
    assert!(reason(&paused).contains("+ table sales"), "{paused}");
    assert_eq!(version(&env, "alpha").await, "1.1");
    // What was approved stays what it is while it is open.
    let undo = std::path::Path::new(&env.dir).join("shop-1.1/U2__price.sql");
    let folder = undo.parent().unwrap().to_str().unwrap().to_owned();
    std::fs::write(&undo, UNDO).unwrap();
    let open = env.tenantry(&["blueprint", "add", &folder]).await;
    assert_ne!(open.status, 0, "{open}");
    open.assert_says(&["an upgrade of shop is open"]);
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    env.add_blueprint(&folder).await;
    downgrade(&env, &[]).await.assert_status(0);
    assert_eq!(version(&env, "alpha").await, "1.0");
}

#[tokio::test]
async fn who_was_not_there_when_it_was_confirmed_keeps_the_later_version() {
    let env = Env::new().await;
    at_the_second(&env, &["alpha", "bravo"], second(&env).undo("price", UNDO)).await;
    downgrade(&env, &["--manual"]).await.assert_status(6);
    env.provision_of("charlie", "shop").await;
    env.tenantry(&["upgrade", "resume"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    let versions =
        [version(&env, "alpha").await, version(&env, "bravo").await, version(&env, "charlie").await];
    assert_eq!(versions, ["1.0", "1.0", "1.1"]);
}

#[tokio::test]
async fn a_tenant_that_could_not_go_back_is_tried_again_from_the_version_that_it_had_and_from_no_other() {
    let env = Env::new().await;
    at_the_second(&env, &["alpha"], second(&env).undo("price", UNDO)).await;
    let placement = env.tenant("alpha").await.tenant.placement;
    let plant = format!("create view {placement}.mine as select price from {placement}.items");
    env.cluster.execute(&env.target_db, plant).await;
    let failed = downgrade(&env, &[]).await;
    assert_ne!(failed.status, 0, "{failed}");
    assert!(failed.to_string().contains("U2__price.sql"), "{failed}");
    assert_eq!(version(&env, "alpha").await, "1.1");
    let operation = env.tenant("alpha").await.operations[0].id.to_string();
    env.tenantry(&["upgrade", "cancel"]).await;
    let third = second_again(&env, "1.2").undo("price", UNDO);
    env.add_blueprint(third.path()).await;
    env.cluster.execute(&env.target_db, format!("drop view {placement}.mine")).await;
    env.tenantry(&["tenant", "upgrade", "alpha"]).await.assert_status(0);
    let refused = env.tenantry(&["operation", "retry", &operation]).await;
    refused.assert_status(5).assert_says(&["has version 1.2 by now", "blueprint downgrade shop@1.0"]);
    env.tenantry(&["blueprint", "downgrade", "shop@1.1", "--confirm", "shop"]).await.assert_status(0);
    env.tenantry(&["operation", "retry", &operation]).await.assert_status(0);
    assert_eq!(version(&env, "alpha").await, "1.0");
}

#[tokio::test]
async fn an_undo_file_that_was_changed_in_the_registry_takes_nobody_back() {
    let mut env = Env::new().await;
    at_the_second(&env, &["alpha"], second(&env).undo("price", UNDO)).await;
    let forge = "update control.blueprint_undo_file set content = 'drop view names; drop table items;'";
    env.cluster.execute(&env.control_db, forge.to_owned()).await;
    env.restart_with("").await;
    let forged = downgrade(&env, &[]).await;
    assert_ne!(forged.status, 0, "{forged}");
    forged.assert_says(&["shop 1.1", "changed in the control database"]);
    assert_eq!(version(&env, "alpha").await, "1.1");
}

/// An undo file has the rights that a migration has, and no others.
#[tokio::test]
async fn an_undo_file_that_reaches_for_the_provisioner_is_refused_before_a_tenant_is_touched() {
    let env = Env::new().await;
    let reach = "do $$ begin execute 'reset role'; execute 'create role undone'; end $$;";
    at_the_second(&env, &["alpha"], second(&env).undo("price", &format!("{UNDO}\n{reach}"))).await;
    let paused = downgrade(&env, &[]).await.assert_status(6).json();
    assert!(reason(&paused).contains("U2__price.sql:4"), "{paused}");
    assert!(reason(&paused).contains("42501"), "{paused}");
    let made = "select count(*) from pg_roles where rolname = 'undone'";
    let made: i64 = sqlx::query_scalar(made).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!((made, version(&env, "alpha").await.as_str()), (0, "1.1"));
}

#[tokio::test]
async fn tenants_with_databases_of_their_own_go_back_in_them() {
    let env = Env::new().await;
    env.add_blueprint(first(&env).in_databases().path()).await;
    env.provision_of("alpha", "shop").await;
    env.add_blueprint(second(&env).undo("price", UNDO).in_databases().path()).await;
    upgrade(&env, &[]).await.assert_status(0);
    downgrade(&env, &[]).await.assert_status(0);
    assert_eq!(version(&env, "alpha").await, "1.0");
    env.tenantry(&["tenant", "drift", "alpha"]).await.assert_status(0);
}

#[tokio::test]
async fn tenants_that_share_tables_go_back_together() {
    let env = Env::new().await;
    let items = "create table items (tenant_id uuid not null, id int, primary key (tenant_id, id));";
    let more = "alter table items add column price int;
                create table sales (tenant_id uuid not null, id int, primary key (tenant_id, id));";
    let undo = "drop table sales; alter table items drop column price;";
    env.add_blueprint(Folder::shared(&env.dir, "shop", "1.0").migration("items", items).path()).await;
    let made = [env.provision_of("alpha", "shop").await, env.provision_of("bravo", "shop").await];
    let next = Folder::shared(&env.dir, "shop", "1.1").migration("items", items).migration("more", more);
    env.add_blueprint(next.undo("more", undo).path()).await;
    upgrade(&env, &[]).await.assert_status(0);
    for one in &made {
        env.psql(&one.credentials, "insert into items (id, price) values (1, 2)").await.assert_status(0);
    }
    let some = downgrade(&env, &["--tenant", "alpha"]).await;
    some.assert_status(5).assert_says(&["go back together"]);
    downgrade(&env, &[]).await.assert_status(0);
    for (slug, one) in ["alpha", "bravo"].into_iter().zip(&made) {
        assert_eq!(version(&env, slug).await, "1.0");
        env.tenantry(&["tenant", "drift", slug]).await.assert_status(0);
        let rows = env.psql(&one.credentials, "select * from items").await.assert_status(0);
        assert_eq!(rows.stdout.trim().split('|').count(), 2, "{rows}");
    }
}
