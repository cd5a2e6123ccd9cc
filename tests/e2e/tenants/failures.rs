//! A migration fails: the operator sees where and why, and nothing is left behind.

use serde_json::Value;
use tenantry_harness::{Env, Folder};

const GOOD: [&str; 4] = [
    "create table one (id bigint primary key);",
    "create table two (id bigint primary key, one bigint not null references one (id));",
    "create view both_of_them as select two.id from two join one on one.id = two.one;",
    "create function touch() returns int language sql as 'select 1';",
];

/// Four good migrations, and then this one.
fn with_fifth(env: &Env, version: &str, sql: &str) -> Folder {
    let good = GOOD.iter().enumerate();
    let folder = Folder::new(&env.dir, "broken", version);
    good.fold(folder, |folder, (at, sql)| folder.migration(&format!("good_{at}"), sql))
        .migration("fifth", sql)
}

/// Provisions `acme` from the blueprint, which must fail, and returns the failure and the tenant as the daemon reports them.
async fn fails(env: &Env, folder: &Folder, says: &[&str]) -> Value {
    env.add_blueprint(folder.path()).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "broken", "--json"]).await;
    output.assert_status(1).assert_says(says);
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "rolled_back");
    let operation = &detail.operations[0];
    assert_eq!(operation.state.name(), "rolled_back");
    env.assert_clean_slate(&detail.tenant.placement).await;
    serde_json::to_value(operation.state.failure().expect("a failure")).unwrap()
}

#[tokio::test]
async fn a_syntax_error_in_the_fifth_file_is_reported_with_its_line_and_undone() {
    let env = Env::new().await;
    let sql = "-- The fifth.\ncreate table five (\n    id bigint primary key\n);\ncreate\n    tabel six (id int);\n";
    let folder = with_fifth(&env, "1.0", sql);
    let failure = fails(&env, &folder, &["V5__fifth.sql:6", "42601", "tabel", "nothing is left"]).await;
    assert_eq!(failure["file"], "V5__fifth.sql");
    assert_eq!(failure["line"], 6);
    assert_eq!(failure["statement"], 2);
    assert_eq!(failure["sqlstate"], "42601");
}

#[tokio::test]
async fn an_error_without_a_position_is_reported_with_its_statement() {
    let env = Env::new().await;
    let sql = "create table five (id int primary key);\n\ninsert into five values (1);\n\n\ninsert into five\nvalues (1);\n";
    let folder = with_fifth(&env, "1.0", sql);
    let failure = fails(&env, &folder, &["V5__fifth.sql:6", "23505"]).await;
    assert_eq!(failure["statement"], 3);
    assert_eq!(failure["line"], 6, "the line where the statement begins");
    assert_eq!(failure["sqlstate"], "23505");
}

#[tokio::test]
async fn a_fixed_version_of_the_blueprint_provisions_the_same_name() {
    let env = Env::new().await;
    fails(&env, &with_fifth(&env, "1.0", "create tabel five ();"), &["V5__fifth.sql:1", "42601"]).await;
    let fixed = with_fifth(&env, "1.1", "create table five (id int primary key);");
    env.add_blueprint(fixed.path()).await;
    let made = env.provision_of("acme", "broken").await;
    assert_eq!(made.tenant.version.to_string(), "1.1", "the newest version is the default");
    env.psql(&made.credentials, "select count(*) from five").await.assert_status(0);
}

#[tokio::test]
async fn a_version_that_was_added_cannot_be_changed() {
    let env = Env::new().await;
    let first = with_fifth(&env, "1.0", "create table five (id int primary key);");
    env.add_blueprint(first.path()).await;
    env.add_blueprint(first.path()).await;
    std::fs::write(format!("{}/V5__fifth.sql", first.path()), "create table changed (id int primary key);")
        .unwrap();
    let output = env.tenantry(&["blueprint", "add", first.path(), "--json"]).await;
    output.assert_status(5).assert_says(&["V5__fifth.sql", "1.0"]);
}

#[tokio::test]
async fn blueprint_check_names_file_and_line_of_what_cannot_run() {
    let env = Env::new().await;
    let folder = with_fifth(&env, "1.0", "create table five (id int primary key);\ncommit;\n");
    let output = env.tenantry(&["blueprint", "check", folder.path()]).await.assert_status(1);
    assert!(
        output.stdout.contains("V5__fifth.sql:2") && output.stdout.contains("transaction_control"),
        "{output}"
    );
    let refused = env.tenantry(&["blueprint", "add", folder.path()]).await;
    assert_ne!(refused.status, 0, "{refused}");
    let listed = env.tenantry(&["blueprint", "list", "--json"]).await.assert_status(0);
    assert!(!listed.stdout.contains("broken"), "{listed}");
}

#[tokio::test]
async fn a_migration_that_never_ends_is_cut_and_undone_within_its_budget() {
    let cluster = tenantry_harness::Cluster::shared();
    let env = Env::with_config(cluster, "[limits]\noperation_budget_ms = 2000\n").await;
    let folder = with_fifth(&env, "1.0", "select pg_sleep(600);");
    let failure = fails(&env, &folder, &["nothing is left"]).await;
    assert_eq!(failure["step"], "migrations", "{failure}");
}

#[tokio::test]
async fn an_error_as_long_as_a_book_is_cut_and_lists_still_work() {
    let env = Env::new().await;
    let sql = "do $$ begin raise exception '%', repeat('long ', 4000000); end $$;";
    let failure = fails(&env, &with_fifth(&env, "1.0", sql), &["V5__fifth.sql:1", "P0001"]).await;
    let message = failure["message"].as_str().unwrap();
    assert!(message.len() < 10_000 && message.starts_with("long long"), "{} bytes", message.len());
    for list in [["operation", "list"], ["tenant", "list"], ["audit", "list"]] {
        env.tenantry(&list).await.assert_status(0);
    }
}

#[tokio::test]
async fn a_constraint_with_the_name_of_one_of_ours_is_reported_like_any_other() {
    let env = Env::new().await;
    let sql = "create table placement (id int constraint placement_pk primary key);\n\
               insert into placement values (1), (1);";
    let failure = fails(&env, &with_fifth(&env, "1.0", sql), &["V5__fifth.sql:2", "23505"]).await;
    assert_eq!(failure["file"], "V5__fifth.sql");
}

#[tokio::test]
async fn a_migration_cannot_pretend_that_the_server_is_down() {
    let env = Env::new().await;
    let sql = "do $$ begin raise exception 'pretended' using errcode = '57P01'; end $$;";
    let failure =
        fails(&env, &with_fifth(&env, "1.0", sql), &["V5__fifth.sql:1", "57P01", "pretended"]).await;
    assert_eq!(failure["file"], "V5__fifth.sql");
}

/// The SQLSTATE of a full disk would make the failure advise to make room; that of a deadlock would repeat the build five
/// times.
#[tokio::test]
async fn an_sqlstate_that_a_migration_chose_decides_nothing() {
    for (sqlstate, not_said) in
        [("53100", "disk is full"), ("40P01", "tried again"), ("55P03", "tried again")]
    {
        let env = Env::new().await;
        let sql = format!("do $$ begin raise exception 'pretended' using errcode = '{sqlstate}'; end $$;");
        let failure = fails(&env, &with_fifth(&env, "1.0", &sql), &["V5__fifth.sql:1", sqlstate]).await;
        assert_eq!(failure["sqlstate"], sqlstate, "it is told, though");
        let hint = failure["hint"].as_str().unwrap();
        assert!(hint.contains("fix V5__fifth.sql") && !hint.contains(not_said), "{failure}");
        let log = env.daemon().log();
        assert_eq!(log.matches("a step failed").count(), 1, "one build, and no other: {log}");
    }
}

#[tokio::test]
async fn a_migration_that_makes_its_transaction_read_only_is_told_so_with_its_file() {
    let env = Env::new().await;
    let folder = with_fifth(&env, "1.0", "do $$ begin execute 'set transaction read only'; end $$;");
    let failure = fails(&env, &folder, &["V5__fifth.sql", "read only"]).await;
    assert_eq!(failure["file"], "V5__fifth.sql");
}

#[tokio::test]
async fn a_migration_that_listens_and_notifies_does_not_disturb_the_build() {
    let env = Env::new().await;
    let sql = "do $$ begin execute 'listen news'; perform pg_notify('news', 'for whom?'); end $$;";
    env.add_blueprint(with_fifth(&env, "1.0", sql).path()).await;
    env.provision_of("acme", "broken").await;
}
