//! What a version runs outside of transactions, and values of enums, in the one transaction of a new tenant.

use tenantry_harness::{Env, Folder};

use super::outside::{assert_owner_is_closed, assert_prints, shape};

#[tokio::test]
async fn a_new_tenant_has_what_runs_outside_in_its_one_transaction() {
    let env = Env::new().await;
    let first = "create table item (id int primary key, code int not null); create type mood as enum ('sad', 'glad');";
    let values =
        "alter type mood add value 'ok' after 'sad'; alter type mood add value if not exists 'glad';";
    let index = "set lock_timeout = '5s'; create index concurrently item_code on item (code); vacuum item;";
    let used = "alter table item add column mood mood not null default 'ok', add check (mood <> 'sad');";
    let written = Folder::new(&env.dir, "written", "1.0")
        .migration("items", first)
        .migration("values", values)
        .outside("index", index)
        .migration("used", used);
    let plain = Folder::new(&env.dir, "plain", "1.0")
        .migration("items", &first.replace("'glad'", "'ok', 'glad'"))
        .migration("values", "select 1;")
        .migration("index", "create index item_code on item (code);")
        .migration("used", used);
    let check = env.tenantry(&["blueprint", "check", written.path()]).await;
    assert_prints(
        &check,
        &["V2__values.sql:1: ok[enum_value]", "V3__index.sql:1: ok[in_transaction]", "ok[timeout]"],
    );
    env.add_blueprint(written.path()).await;
    env.add_blueprint(plain.path()).await;
    let plan = env.tenantry(&["tenant", "create", "acme", "--blueprint", "written", "--plan"]).await;
    assert_prints(
        &plan,
        &["create type mood as enum ('sad', 'ok', 'glad')", "create index item_code on item (code)"],
    );
    assert!(!plan.stdout.contains("outside the transaction"), "{plan}");
    let acme = env.provision_of("acme", "written").await;
    let globex = env.provision_of("globex", "plain").await;
    assert_eq!(
        shape(&env, acme.tenant.placement.as_str()).await,
        shape(&env, globex.tenant.placement.as_str()).await
    );
    assert_owner_is_closed(&env, acme.tenant.placement.as_str()).await;
    // The place of an error is that of the statement in the file.
    let broken = Folder::new(&env.dir, "broken", "1.0")
        .migration("items", first)
        .outside("index", &format!("{index}\nvacuum;\nselect 1 / 0;"));
    env.add_blueprint(broken.path()).await;
    let refused =
        env.tenantry(&["tenant", "create", "initech", "--blueprint", "broken"]).await.assert_status(1);
    refused.assert_says(&["V2__index.sql:3", "division by zero", "nothing is left"]);
}
