//! A private cluster whose disk fills while it works, and then has room again.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};
use tenantry_harness::cli::{self, Output, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::scratch::Scratch;
use tenantry_harness::{Folder, binaries, eventually, small_disk};

/// A daemon on a disk of its own.
struct Small {
    scratch: Scratch,
    daemon: Daemon,
}

impl Small {
    async fn start(size: &str) -> Self {
        let scratch = Scratch::new();
        let command = small_disk::command(&scratch, size, &binaries::tenantryd()).await;
        let (state, socket) = (scratch.text("disk/state"), scratch.text("d.sock"));
        let arguments = ["--state-dir", &state, "--socket", &socket];
        let daemon = Daemon::run(command, &arguments, scratch.path(), &[]).await;
        let daemon = daemon.unwrap_or_else(|ended| panic!("{}\n{}", ended.status, ended.log));
        Self { scratch, daemon }
    }

    async fn tenantry(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--socket", self.daemon.socket().to_str().unwrap()];
        all.extend(arguments);
        cli::run(tenantry_command(&all, self.scratch.path())).await
    }

    /// The disk as only the daemon sees it.
    fn disk(&self) -> PathBuf {
        let disk = self.scratch.text("disk");
        PathBuf::from(format!("/proc/{}/root{disk}", self.daemon.announcement.pid))
    }

    /// Fills the disk and leaves that many MiB free.
    fn fill(&self, leave_mib: u64) {
        let disk = nix::sys::statvfs::statvfs(&self.disk()).unwrap();
        let free = disk.blocks_available() * disk.fragment_size();
        let mut ballast = File::create(self.disk().join("ballast")).unwrap();
        let block = vec![0; 1 << 16];
        let mut left = free.saturating_sub(leave_mib << 20);
        // On a disk that is to be full, the last write fails.
        while left > 0 && ballast.write_all(&block[..block.len().min(left as usize)]).is_ok() {
            left = left.saturating_sub(block.len() as u64);
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.disk().join("ballast")).unwrap();
    }

    async fn superuser(&self) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.disk().join("state/cluster/run"))
            .port(5432)
            .username("tenantry_bootstrap")
            .database("tenantry_local")
            .ssl_mode(PgSslMode::Disable);
        options.connect().await.unwrap()
    }

    /// Makes a table run out of room first, and not the write-ahead log, since a server does not survive that.
    async fn begin_a_file_of_the_log(&self) {
        let switch =
            "select pg_switch_wal(); select pg_logical_emit_message(true, '', 'the first in the new file')";
        sqlx::raw_sql(switch).execute(&mut self.superuser().await).await.unwrap();
    }

    /// Tenants whose roles exist on the target; the canary counts as one.
    async fn placements(&self) -> i64 {
        let sql = "select count(distinct left(rolname, 15)) from pg_roles where rolname like 't\\_%'";
        sqlx::query_scalar(sql).fetch_one(&mut self.superuser().await).await.unwrap()
    }

    async fn add(&self, name: &str, sql: &str) {
        let folder = Folder::new(self.scratch.path(), name, "1.0").migration("all", sql);
        self.tenantry(&["blueprint", "add", folder.path()]).await.assert_status(0);
    }
}

#[tokio::test]
async fn a_disk_that_fills_under_a_provision_is_a_clear_error_and_a_clean_slate() {
    let small = Small::start("160m").await;
    small
        .add(
            "heavy",
            "create unlogged table note as select repeat('x', 900) as body from generate_series(1, 60000);",
        )
        .await;
    small.tenantry(&["tenant", "create", "first", "--blueprint", "projects@1.0"]).await.assert_status(0);
    small.begin_a_file_of_the_log().await;
    small.fill(16);
    let create = ["tenant", "create", "heavy", "--blueprint", "heavy"];
    let failed = small.tenantry(&create).await.assert_status(1);
    failed.assert_says(&["No space left on device", "nothing is left on local", "disk is full: make room"]);
    assert_eq!(small.placements().await, 2, "the canary and first");
    small.make_room();
    small.tenantry(&create).await.assert_status(0);
    assert!(small.daemon.stop().await.status.success());
}

#[tokio::test]
async fn a_server_that_ends_for_lack_of_room_comes_back_with_it_and_the_provision_goes_on() {
    let small = Small::start("160m").await;
    small.add("slow", "create table note (body text primary key); select pg_sleep(2);").await;
    small.tenantry(&["tenant", "create", "first", "--blueprint", "projects@1.0"]).await.assert_status(0);
    let create = ["tenant", "create", "slow", "--blueprint", "slow", "--no-wait", "--json"];
    let started = small.tenantry(&create).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().expect("an operation").to_owned();
    let mut superuser = small.superuser().await;
    eventually("the migration runs", async || {
        let running =
            "select exists (select from pg_stat_activity where query like 'select t_%_run(array[%' and state = 'active')";
        small.tenantry(&["operation", "show", &id]).await.assert_status(0);
        sqlx::query_scalar::<_, bool>(running).fetch_one(&mut superuser).await.unwrap().then_some(())
    })
    .await;
    small.fill(0);
    // The write-ahead log fills its file and finds no room for the next one: the server stops, recovers, and finds no room
    // for that either.
    const FILL_THE_LOG: &str =
        "select count(pg_logical_emit_message(false, '', repeat('x', 100000))) from generate_series(1, 400)";
    sqlx::query(FILL_THE_LOG).execute(&mut superuser).await.expect_err("there is no room for that");
    eventually("the server is down, and the daemon says so", async || {
        let status = small.tenantry(&["status", "--json"]).await.json();
        (status["health"]["control"]["reachable"] == false).then_some(())
    })
    .await;
    small.make_room();
    let end = eventually("the provision ends by itself", async || {
        let shown = small.tenantry(&["operation", "show", &id, "--json"]).await;
        let state =
            (shown.status == 0).then(|| shown.json()["state"]["name"].as_str().unwrap_or("").to_owned())?;
        ["succeeded", "rolled_back"].contains(&state.as_str()).then_some(state)
    })
    .await;
    let tenants = if end == "succeeded" { 3 } else { 2 };
    assert_eq!(small.placements().await, tenants, "{end}: the canary, first, and slow if it is there");
    small.tenantry(&["tenant", "create", "third", "--blueprint", "projects@1.0"]).await.assert_status(0);
    assert!(small.daemon.stop().await.status.success());
}
