//! Flyway's callbacks: a view that is dropped before the files of each upgrade, so that they can change its table, and made behind them.

use std::path::Path;

use tenantry_harness::{Env, Folder};

use super::history;

const BEFORE: &str = "beforeMigrate__names.sql";
const AFTER: &str = "afterMigrate__names.sql";

/// The folder with a view of all columns around its files.
fn with_callbacks(folder: Folder) -> Folder {
    around(folder, "drop view if exists names;", "create view names as select * from items;")
}

fn around(folder: Folder, before: &str, after: &str) -> Folder {
    let write = |name: &str, sql: &str| std::fs::write(Path::new(folder.path()).join(name), sql).unwrap();
    write(BEFORE, before);
    write(AFTER, after);
    folder
}

fn items(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "shop", version).migration(
        "items",
        "create table items (id bigint generated always as identity primary key, name text);",
    )
}

#[tokio::test]
async fn callbacks_run_around_the_files_of_a_new_tenant_and_of_each_upgrade() {
    let env = Env::new().await;
    env.add_blueprint(with_callbacks(items(&env, "1.0")).path()).await;
    let made = env.provision_of("acme", "shop").await;
    env.psql(&made.credentials, "insert into items (name) values ('pen')").await.assert_status(0);
    let second = with_callbacks(
        items(&env, "1.1").migration("kind", "alter table items alter column name type varchar(40);"),
    );
    env.add_blueprint(second.path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let shown = env.psql(&made.credentials, "select name from names").await.assert_status(0);
    assert_eq!(shown.stdout.trim(), "pen");
    let placement = made.tenant.placement.as_str();
    let expected = [
        format!("0 {BEFORE}"),
        "1 V1__items.sql".to_owned(),
        format!("2 {AFTER}"),
        format!("3 {BEFORE}"),
        "4 V2__kind.sql".to_owned(),
        format!("5 {AFTER}"),
    ];
    assert_eq!(history(&env, &env.target_db, placement).await, expected);
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
    // A file outside the transaction divides the upgrade, and each callback still runs once. The view has to stay meanwhile.
    let third = around(
        items(&env, "1.2")
            .migration("kind", "alter table items alter column name type varchar(40);")
            .outside("index", "create index concurrently items_name on items (name);")
            .migration("more", "alter table items add column more int;"),
        "comment on table items is 'being changed';",
        "comment on table items is 'changed';",
    );
    env.add_blueprint(third.path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let last = history(&env, &env.target_db, placement).await.split_off(6);
    let expected = [
        format!("6 {BEFORE}"),
        "7 V3__index.sql".to_owned(),
        "8 V4__more.sql".to_owned(),
        format!("9 {AFTER}"),
    ];
    assert_eq!(last, expected);
    // Without anything else to run, they do not run either.
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(history(&env, &env.target_db, placement).await.len(), 10);
    env.rollback("acme").await;
}
