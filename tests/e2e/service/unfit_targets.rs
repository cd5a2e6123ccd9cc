//! Targets that cannot take a tenant: what is refused before anything is done, and what the operator is told to run.

use std::io::Write as _;

use tenantry_harness::cli::Output;
use tenantry_harness::{Env, Folder};

const CREATE: [&str; 5] = ["tenant", "create", "acme", "--blueprint", "projects@1.0"];

/// Restarts the daemon with one more line for its target.
async fn configure_target(env: &mut Env, line: &str) {
    env.take_daemon().stop().await;
    env.write_config("", &[("local", env.target_url())]);
    let mut file = std::fs::OpenOptions::new().append(true).open(env.config_path()).unwrap();
    writeln!(file, "{line}").unwrap();
    env.start_daemon().await;
}

async fn assert_refused(env: &Env, says: &[&str]) {
    env.tenantry(&CREATE).await.assert_status(5).assert_says(says);
    let listed = env.tenantry(&["tenant", "list", "--all", "--json"]).await.assert_status(0).json();
    let acme = listed["tenants"].as_array().unwrap().iter().find(|tenant| tenant["slug"] == "acme");
    assert!(acme.is_none(), "nothing is reserved by a refusal: {listed}");
}

#[tokio::test]
async fn a_target_that_is_full_takes_no_tenant_and_says_how_full() {
    let mut env = Env::new().await;
    configure_target(&mut env, "capacity = 1").await;
    env.provision("globex").await;
    assert_refused(&env, &["1 of 1 tenants", "local"]).await;
}

#[tokio::test]
async fn a_target_in_maintenance_takes_no_tenant() {
    let mut env = Env::new().await;
    configure_target(&mut env, "maintenance = true").await;
    assert_refused(&env, &["local", "in maintenance"]).await;
}

#[tokio::test]
async fn an_extension_that_a_file_creates_is_named_with_the_command_that_installs_it() {
    let env = Env::new().await;
    // PostgreSQL trusts it, and it is not among those that the daemon installs.
    let sql = "create extension if not exists lo with schema public;
               create table one (id bigint primary key, picture lo not null default 1);";
    let folder = Folder::new(&env.dir, "extended", "1.0").migration("one", sql);
    let added = env.tenantry(&["blueprint", "add", folder.path()]).await.assert_status(0);
    assert!(added.stdout.contains("V1__one.sql:1: ok[extension]"), "{added}");
    let output =
        env.tenantry(&["tenant", "create", "acme", "--blueprint", "extended"]).await.assert_status(5);
    let output = output.assert_says(&["no extension lo", "connected to database"]);

    // As an administrator pastes it.
    let told = output.stderr.split_once("(psql ").and_then(|(_, told)| told.split_once("): "));
    let (place, statement) = told.unwrap_or_else(|| panic!("no command in {output}"));
    let statement = statement.lines().next().unwrap();
    let installed = std::process::Command::new("sh")
        .args(["-c", &format!("psql {place} -c '{statement}'")])
        .env("PGUSER", tenantry_harness::cluster::SUPERUSER)
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");
    let made = env.provision_of("acme", "extended").await;
    let labels = env.psql(&made.credentials, "insert into one values (1) returning picture").await;
    assert!(labels.assert_status(0).stdout.contains('1'));
}

async fn check(env: &Env) -> Output {
    env.tenantry(&["target", "check", "local"]).await
}

async fn as_superuser(env: &Env, sql: String) {
    env.cluster.execute(&env.target_db, sql).await;
}

#[tokio::test]
async fn a_provisioner_with_too_many_or_too_few_rights_is_refused_with_what_to_change() {
    let env = Env::new().await;
    check(&env).await.assert_status(0);
    let provisioner = &env.provisioner;
    for (wrong, says) in [
        (format!("alter role {provisioner} superuser"), "is a superuser"),
        (format!("alter role {provisioner} nosuperuser nocreaterole"), "CREATEROLE"),
    ] {
        as_superuser(&env, wrong).await;
        let checked = check(&env).await;
        assert_ne!(checked.status, 0, "{checked}");
        assert!(checked.stdout.contains(says), "'{says}' is not said\n{checked}");
        assert_refused(&env, &["local", says]).await;
    }
    as_superuser(&env, format!("alter role {provisioner} createrole")).await;
    check(&env).await.assert_status(0);
    env.provision("acme").await;
}

#[tokio::test]
async fn a_refused_login_to_a_target_is_told_in_the_servers_words() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    as_superuser(&env, format!("alter role {} password 'another'", env.provisioner)).await;
    env.start_daemon().await;
    let output = env.tenantry(&CREATE).await.assert_status(3);
    output.assert_says(&["local", "password authentication failed", "url in the configuration"]);
}

#[tokio::test]
async fn a_group_that_lost_its_connect_is_an_error_with_the_grant_that_mends_it() {
    let env = Env::new().await;
    check(&env).await.assert_status(0);
    let mut target = env.target().await;
    let group: String = sqlx::query_scalar("select group_role from tenantry.target_identity")
        .fetch_one(&mut target)
        .await
        .unwrap();
    as_superuser(&env, format!("revoke connect on database {} from {group}", env.target_db)).await;
    let checked = check(&env).await;
    assert_ne!(checked.status, 0, "{checked}");
    let mend = checked.stdout.split("an administrator runs: ").find(|part| part.starts_with("grant connect"));
    let mend = mend.unwrap_or_else(|| panic!("no statement to run\n{checked}")).lines().next().unwrap();
    as_superuser(&env, mend.to_owned()).await;
    check(&env).await.assert_status(0);
}
