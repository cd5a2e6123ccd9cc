//! Archives: the data of a removed tenant can be restored, and a tenant that cannot be archived stays as it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::Connection as _;
use tenantry_harness::binaries::server_bin;
use tenantry_harness::cli;
use tenantry_harness::{Env, Folder, Provisioned, Version, eventually};
use tenantry_protocol::operation::StepStatus;
use tokio::process::Command;

const ROLLBACK: [&str; 5] = ["tenant", "rollback", "acme", "--confirm", "acme"];

fn json_of(arguments: &[&'static str]) -> Vec<&'static str> {
    [arguments, &["--json"]].concat()
}

/// A directory with these scripts in place of pg_dump and pg_restore; `REAL` in them stands for the real programs' directory.
fn fake_programs(env: &Env, pg_dump: &str) -> PathBuf {
    let dir = env.dir.join("bin");
    std::fs::create_dir(&dir).unwrap();
    let real = server_bin(Version::Packaged);
    for (name, script) in [("pg_dump", pg_dump), ("pg_restore", "exec REAL/pg_restore \"$@\"")] {
        let path = dir.join(name);
        let script = script.replace("REAL", real.to_str().unwrap());
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir
}

/// An environment with a tenant, whose daemon was restarted with that `pg_dump`.
async fn with_pg_dump(script: &str) -> (Env, Provisioned) {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    let dir = fake_programs(&env, script);
    env.restart_with(&format!("[archive]\nbin_dir = \"{}\"\n", dir.display())).await;
    (env, made)
}

/// The tenant works as before, and nothing of an archive is left: no login, no partial file.
async fn assert_as_before(env: &Env, made: &Provisioned) {
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    env.psql(&made.credentials, "select count(*) from users").await.assert_status(0);
    let dump = format!("role {}_dump", made.tenant.placement);
    let traces = env.traces(&made.tenant.placement).await;
    assert!(!traces.contains(&dump), "{traces:?}");
    let files = std::fs::read_dir(env.dir.join("state/archives")).into_iter().flatten().count();
    assert_eq!(files, 0, "nothing is in the archives' directory");
}

/// Restores an archive into a new database, and returns the number of rows of each table.
async fn restore(env: &Env, archive: &Path, schema: &str) -> Vec<(String, i64)> {
    let database = format!("restored_{}", env.cluster.next_number());
    env.cluster.execute("postgres", format!("create database {database} template template0")).await;
    let mut command = Command::new(server_bin(Version::Packaged).join("pg_restore"));
    command
        .args([
            "--no-owner",
            "--no-privileges",
            "--exit-on-error",
            "--username",
            "harness",
            "--dbname",
            &database,
        ])
        .arg("--host")
        .arg(env.cluster.socket_dir())
        .arg(archive);
    cli::run(command).await.assert_status(0);
    let rows = rows_of(&mut env.cluster.superuser(&database).await, schema).await;
    env.cluster.execute("postgres", format!("drop database {database} with (force)")).await;
    rows
}

async fn rows_of(connection: &mut sqlx::PgConnection, schema: &str) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select relname::text, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from only %I.%I', $1, relname),
                false, true, '')))[1]::text::bigint
         from pg_class where relnamespace = $1::regnamespace and relkind = 'r' order by relname",
    )
    .bind(schema)
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_a_removed_tenant_had_is_in_its_archive_row_for_row() {
    let env = Env::new().await;
    let seeded = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&seeded).await.assert_status(0).json());
    let schema = made.tenant.placement.as_str();
    let mut target = env.target().await;
    let before = rows_of(&mut target, schema).await;
    target.close().await.unwrap();

    let removed: Value = env.tenantry(&json_of(&ROLLBACK)).await.assert_status(0).json();
    env.assert_clean_slate(&made.tenant.placement).await;
    let archive = &removed["archive"];
    let path = PathBuf::from(archive["path"].as_str().expect("a path"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(archive["size_bytes"], std::fs::metadata(&path).unwrap().len());
    let mut sum = Command::new("sha256sum");
    sum.arg(&path);
    let sum = cli::run(sum).await.assert_status(0);
    assert_eq!(sum.stdout.split_whitespace().next(), archive["sha256"].as_str());
    assert_eq!(archive["tables"], 25);
    assert_eq!(archive["rows"], before.iter().map(|(_, rows)| rows).sum::<i64>());
    assert_eq!(restore(&env, &path, schema).await, before);
    assert_eq!(env.tenant("acme").await.archives.len(), 1, "the registry knows it");
}

#[tokio::test]
async fn an_archive_that_cannot_be_made_is_refused_before_anything_is_done() {
    for (script, says) in [
        ("echo 'pg_dump (PostgreSQL) 9.6.24'", &["9.6.24", "postgresql-client-15", "--discard-data"][..]),
        ("exit 127", &["no working pg_dump", "[archive] bin_dir"][..]),
    ] {
        let (env, made) = with_pg_dump(script).await;
        for change in [&ROLLBACK[..], &["tenant", "retire", "acme", "--confirm", "acme"]] {
            env.tenantry(change).await.assert_status(5).assert_says(says);
        }
        assert_as_before(&env, &made).await;
        env.rollback("acme").await;
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_refused_before_anything_is_done() {
    let mut env = Env::new().await;
    let made = env.provision("acme").await;
    let file = env.dir.join("in-the-way");
    std::fs::write(&file, "").unwrap();
    env.restart_with(&format!("[archive]\ndir = \"{}/archives\"\n", file.display())).await;
    env.tenantry(&ROLLBACK).await.assert_status(5).assert_says(&["in-the-way", "[archive] dir"]);
    assert_as_before(&env, &made).await;
}

#[tokio::test]
async fn a_disk_that_fills_during_the_archive_leaves_the_tenant_as_it_was() {
    // The real program without enough room: no file may be larger than 4 kB.
    let (env, made) = with_pg_dump("[ \"$1\" = --version ] || ulimit -f 8; exec REAL/pg_dump \"$@\"").await;
    let failed = env.tenantry(&ROLLBACK).await.assert_status(1);
    failed.assert_says(&["in step archive", "pg_dump failed", "acme is as it was before"]);
    assert_as_before(&env, &made).await;
}

#[tokio::test]
async fn an_archive_that_lacks_rows_is_noticed() {
    let script =
        "[ \"$1\" = --version ] || set -- \"$@\" --exclude-table-data=*.users; exec REAL/pg_dump \"$@\"";
    let mut env = Env::new().await;
    let seeded = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--seed", "--json"];
    let made = Provisioned::from(&env.tenantry(&seeded).await.assert_status(0).json());
    let dir = fake_programs(&env, script);
    env.restart_with(&format!("[archive]\nbin_dir = \"{}\"\n", dir.display())).await;
    env.tenantry(&ROLLBACK).await.assert_status(1).assert_says(&["does not hold what the database does"]);
    assert_as_before(&env, &made).await;
}

#[tokio::test]
async fn rows_that_their_owner_cannot_read_are_told_apart_from_none() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "forced", "1.0").migration(
        "one",
        "create table users (id int primary key); insert into users values (1);
         alter table users enable row level security; alter table users force row level security;
         create policy none on users using (false);",
    );
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("acme", "forced").await;
    env.tenantry(&ROLLBACK)
        .await
        .assert_status(1)
        .assert_says(&["FORCE ROW LEVEL SECURITY on users", "--discard-data"]);
    assert_as_before(&env, &made).await;
}

/// A `pg_dump` that waits until it is killed.
const HANGS: &str = "[ \"$1\" = --version ] && exec REAL/pg_dump --version; exec sleep 600";

async fn hanging_rollback(env: &Env) -> String {
    let arguments = [&ROLLBACK[..], &["--no-wait", "--json"]].concat();
    let started = env.tenantry(&arguments).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().expect("an operation").to_owned();
    eventually("the archive is being made", async || {
        let steps = env.operation(&id).await.steps;
        steps.iter().any(|step| step.step == "archive" && step.status == StepStatus::Running).then_some(())
    })
    .await;
    id
}

#[tokio::test]
async fn a_rollback_that_is_cancelled_during_its_archive_gives_the_tenant_back() {
    let (env, made) = with_pg_dump(HANGS).await;
    let id = hanging_rollback(&env).await;
    let cancelled = env.tenantry(&["operation", "cancel", &id]).await.assert_status(0);
    assert!(cancelled.stdout.contains("acme is as it was before"), "{cancelled}");
    assert_as_before(&env, &made).await;
}

#[tokio::test]
async fn an_archive_that_a_killed_daemon_left_is_made_anew_by_the_next() {
    let (mut env, made) = with_pg_dump(HANGS).await;
    let id = hanging_rollback(&env).await;
    env.take_daemon().kill().await;
    env.write_config("", &[("local", env.target_url())]);
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    env.assert_clean_slate(&made.tenant.placement).await;
    let archives = env.tenant("acme").await.archives;
    assert_eq!(restore(&env, Path::new(&archives[0].path), made.tenant.placement.as_str()).await.len(), 25);
}

#[tokio::test]
async fn a_removal_that_goes_on_does_not_replace_a_good_archive() {
    let mut env = Env::new().await;
    // More tables than fit in one batch. The last one is locked, so that the others are gone when the removal stops trying.
    let many = "do $$ begin for n in 1..41 loop execute format('create table t%s (id int primary key)', n); end loop; end $$;";
    env.add_blueprint(Folder::new(&env.dir, "many", "1.0").migration("one", many).path()).await;
    let made = env.provision_of("acme", "many").await;
    // Short limits, so that the wait for a lock that is never granted is short too.
    env.restart_with(
        "[limits]\noperation_budget_ms = 1000\nlock_timeout_ms = 200\n[archive]\ntimeout_ms = 8000\n",
    )
    .await;
    let mut holder = env.target().await;
    let hold = format!("begin; lock table {}.t41 in access share mode", made.tenant.placement);
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut holder).await.unwrap();
    let stuck = env.tenantry(&json_of(&ROLLBACK)).await.assert_status(6).json();
    holder.close().await.unwrap();
    let first = env.tenant("acme").await.archives;
    assert_eq!(first.len(), 1, "{stuck}");
    let id = stuck["operation"]["id"].as_str().expect("an operation");
    env.restart_with("").await;
    env.tenantry(&["operation", "retry", id]).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.archives, first);
    env.assert_clean_slate(&made.tenant.placement).await;
}
