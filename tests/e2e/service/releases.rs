//! What an earlier release left is brought up by this one: its databases, its state directory and its tenants.
//!
//! `TENANTRY_FIXTURE=1` (`make fixture`) writes the installation of this release to `tests/fixtures`, once for each release;
//! without it the installation is made all the same, so that it can always be written.

use tenantry_harness::binaries::server_bin;
use tenantry_harness::cli;
use tenantry_harness::daemon::Daemon;
use tenantry_harness::release::{Manifest, Release, Standing};
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};
use tenantry_protocol::operation::StepStatus;
use tenantry_protocol::tenant::Credentials;
use tokio::process::Command;

#[tokio::test]
async fn an_installation_of_every_kind_of_tenant_can_be_kept_for_later_releases() {
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    let manifest = furnish(&mut env).await;
    if std::env::var_os("TENANTRY_FIXTURE").is_some() {
        Release::keep(&env, &manifest).await;
    }
}

#[tokio::test]
async fn every_release_is_brought_up_by_this_one_on_postgresql_15() {
    for release in Release::all() {
        is_brought_up(&release, Version::Packaged).await;
    }
}

#[tokio::test]
async fn every_release_is_brought_up_by_this_one_on_postgresql_18() {
    for release in Release::all() {
        is_brought_up(&release, Version::V18).await;
    }
}

#[tokio::test]
async fn a_daemon_that_is_too_old_or_has_another_migration_says_so_and_changes_nothing() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let newer = "insert into control.schema_version (number, name) values (9999, '9999_from_the_future.sql')";
    let older = "delete from control.schema_version where number = 9999";
    let edited = "update control.schema_version set sha256 = repeat('0', 64) where number = 3";
    for (change, said) in [
        (newer.to_owned(), ["version 9999", "install the newer"]),
        (format!("{older}; {edited}"), ["0003_lifecycle.sql", "a released migration never changes"]),
    ] {
        env.cluster.execute(&env.control_db, change).await;
        let before = dump(&env).await;
        let config = env.config_path();
        let ended = Daemon::try_start(&["--config", config.to_str().unwrap()], &env.dir)
            .await
            .expect_err("it is refused");
        assert!(!ended.status.success());
        for text in said {
            assert!(ended.log.contains(text), "'{text}' is not said: {}", ended.log);
        }
        assert_eq!(dump(&env).await, before, "the control database is as it was");
    }
}

#[tokio::test]
async fn a_target_whose_bookkeeping_another_migration_made_takes_no_tenant() {
    let mut env = Env::new().await;
    env.tenantry(&["target", "check", "local"]).await.assert_status(0);
    env.take_daemon().stop().await;
    let edited = "update tenantry.schema_version set sha256 = repeat('0', 64) where number = 3";
    env.cluster.execute(&env.target_db, edited.to_owned()).await;
    env.start_daemon().await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "projects@1.0"]).await;
    output.assert_status(5).assert_says(&[
        "local",
        "0003_close_file.sql",
        "a released migration never changes",
    ]);
}

/// All that is in the control database, as text.
async fn dump(env: &Env) -> String {
    let mut command = Command::new(server_bin(Version::Packaged).join("pg_dump"));
    command
        .args(["--username", "harness", "--dbname", &env.control_db, "--host"])
        .arg(env.cluster.socket_dir());
    let text = cli::run(command).await.assert_status(0).stdout;
    // Newer releases of pg_dump put a random word into each dump.
    let is_fixed = |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(is_fixed).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_migration_of_ours_never_changes_after_a_release() {
    for release in Release::all() {
        release.assert_migrations_stand();
    }
}

/// Tenants of each tenancy and state, events of many kinds, and a daemon that was killed in a build.
async fn furnish(env: &mut Env) -> Manifest {
    let customers = "create table customers (id bigint primary key, name text not null);";
    let shop = Folder::new(&env.dir, "shop", "1.0").migration("customers", customers);
    let vault = Folder::new(&env.dir, "vault", "1.0").in_databases().migration("customers", customers);
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    for blueprint in [shop, vault, slow] {
        env.add_blueprint(blueprint.path()).await;
    }
    let mut tenants = Vec::new();
    for (slug, blueprint) in [
        ("acme", "projects"),
        ("birch", "shop"),
        ("cedar", "ledger"),
        ("dogwood", "ledger"),
        ("elm", "vault"),
        ("fir", "vault"),
        ("gum", "shop"),
        ("holly", "shop"),
    ] {
        let made = env.provision_of(slug, blueprint).await;
        if matches!(blueprint, "shop" | "vault") {
            let insert = "insert into customers values (1, 'of an earlier release')";
            env.psql(&made.credentials, insert).await.assert_status(0);
        }
        tenants.push((blueprint, made));
    }
    for arguments in [
        &["tenant", "update", "acme", "--label", "plan=gold"] as &[&str],
        &["tenant", "suspend", "fir"],
        &["tenant", "retire", "gum", "--confirm", "gum"],
        &["tenant", "rollback", "holly", "--confirm", "holly"],
        &["tenant", "verify", "--all"],
        &["audit", "verify"],
    ] {
        env.tenantry(arguments).await.assert_status(0);
    }
    let mut manifest = Manifest::default();
    for (blueprint, made) in tenants {
        let state = env.tenant(&made.tenant.slug.to_string()).await.tenant.state.name().to_owned();
        manifest.tenants.push(Standing {
            slug: made.tenant.slug.to_string(),
            blueprint: blueprint.to_owned(),
            state,
            credentials: made.credentials,
        });
    }
    let create = ["tenant", "create", "ivy", "--blueprint", "slow", "--no-wait", "--json"];
    let started = env.tenantry(&create).await.assert_status(0).json();
    manifest.interrupted = started["operation"]["id"].as_str().expect("an operation").to_owned();
    eventually("its migration runs", async || {
        let steps = env.operation(&manifest.interrupted).await.steps;
        steps.iter().any(|step| step.step == "migrations" && step.status == StepStatus::Running).then_some(())
    })
    .await;
    env.take_daemon().kill().await;
    manifest
}

/// All of it is as it was left; then it is changed, verified, added to and removed.
async fn is_brought_up(release: &Release, version: Version) {
    let mut env = release.restore(version).await;
    let manifest = release.manifest();
    env.start_daemon().await;
    // Its time is over, so the build is undone and not made again.
    env.wait_for_operation(&manifest.interrupted, "rolled_back").await;
    for standing in &manifest.tenants {
        is_as_it_was(&env, standing).await;
    }
    env.tenantry(&["audit", "verify"]).await.assert_status(0);
    let gone = |standing: &&Standing| standing.state != "rolled_back";
    for (blueprint, slug) in
        [("projects", "new-acme"), ("shop", "new-birch"), ("ledger", "new-cedar"), ("vault", "new-elm")]
    {
        env.provision_of(slug, blueprint).await;
    }
    for arguments in [
        &["tenant", "resume", "fir"] as &[&str],
        &["tenant", "suspend", "birch"],
        &["tenant", "resume", "birch"],
        &["tenant", "credentials", "elm", "rotate"],
        &["tenant", "verify", "--all"],
    ] {
        env.tenantry(arguments).await.assert_status(0);
    }
    let new = ["new-acme", "new-birch", "new-cedar", "new-elm"];
    let old = manifest.tenants.iter().filter(gone).map(|standing| standing.slug.as_str());
    for slug in old.chain(new) {
        let placement = env.tenant(slug).await.tenant.placement;
        env.rollback(slug).await;
        env.assert_clean_slate(&placement).await;
    }
    env.tenantry(&["audit", "verify"]).await.assert_status(0);
}

/// Its state is the same, and where it is active, its application logs in and finds what it wrote.
async fn is_as_it_was(env: &Env, standing: &Standing) {
    let Standing { slug, blueprint, state, credentials } = standing;
    assert_eq!(env.tenant(slug).await.tenant.state.name(), state, "{slug}");
    if state != "active" {
        return;
    }
    let login =
        Credentials { host: env.cluster.socket_dir().to_str().unwrap().to_owned(), ..credentials.clone() };
    let (query, answer) = match blueprint.as_str() {
        "shop" | "vault" => ("select name from customers", "of an earlier release"),
        _ => ("select current_user", login.role.as_str()),
    };
    let output = env.psql(&login, query).await.assert_status(0);
    assert_eq!(output.stdout.trim(), answer, "{slug}");
}
