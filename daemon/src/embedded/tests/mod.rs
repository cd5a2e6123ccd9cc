//! Tests of the private cluster with real PostgreSQL, in everything that can happen to it. They run as root (the server then
//! runs as `postgres`) and as an ordinary user.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::*;

/// A directory for one cluster. Processes that still run in it end when it is dropped.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with_prefix("tenantry-test-")
    }

    fn with_prefix(prefix: &str) -> Self {
        let mode = Permissions::from_mode(0o711);
        Self { dir: tempfile::Builder::new().prefix(prefix).permissions(mode).tempdir().unwrap() }
    }

    fn options(&self) -> ClusterOptions {
        let home = self.dir.path().join("cluster");
        ClusterOptions {
            data_dir: home.join("data"),
            socket_dir: home.join("run"),
            os_user: OsUser::resolve(None).unwrap(),
            bin_dir: None,
            listen: None,
            durable: false,
        }
    }

    fn data(&self) -> PathBuf {
        self.options().data_dir
    }

    async fn start(&self) -> Cluster {
        Cluster::start(self.options()).await.unwrap()
    }

    async fn refused(&self, options: ClusterOptions) -> String {
        match Cluster::start(options).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("the start was not refused"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in postmaster::processes(&self.data()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // The directory can be removed only when nobody writes to it any more.
        while !postmaster::processes(&self.data()).is_empty() {
            std::thread::yield_now();
        }
    }
}

async fn text(options: PgConnectOptions, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options).await?;
    let value = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(value)
}

async fn execute(options: PgConnectOptions, statement: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&options).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await
}

fn sqlstate(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| format!("no SQLSTATE: {error}"), |code| code.into_owned())
}

fn superuser(cluster: &Cluster, database: &str) -> PgConnectOptions {
    superuser_options(&cluster.layout, cluster.port, database)
}

fn pid_of(cluster: &Cluster) -> i32 {
    postmaster::running(&cluster.layout.data).unwrap().pid
}

#[tokio::test]
async fn a_cluster_is_made_stopped_started_again_and_keeps_its_data() {
    let place = Place::new();
    let cluster = place.start().await;
    assert!(cluster.server_version().split('.').next().unwrap().parse::<u32>().unwrap() >= 15);
    let query = "select current_user || '@' || current_database()";
    assert_eq!(text(cluster.control_options(), query).await.unwrap(), "tenantry_daemon@tenantry_control");
    assert_eq!(
        text(cluster.control_owner_options(), query).await.unwrap(),
        "tenantry_owner@tenantry_control"
    );
    assert_eq!(
        text(cluster.provisioner_options(), query).await.unwrap(),
        "tenantry_provisioner@tenantry_local"
    );
    execute(cluster.provisioner_options(), "create table kept as select 'yes' as value").await.unwrap();
    let old = cluster.provisioner_options();
    cluster.stop().await.unwrap();
    assert!(postmaster::processes(&place.data()).is_empty());

    let cluster = place.start().await;
    assert_eq!(text(cluster.provisioner_options(), "select value from kept").await.unwrap(), "yes");
    let error = text(old, "select 'in'").await.unwrap_err();
    assert_eq!(sqlstate(&error), "28P01", "the passwords of the last start are void");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_running_server_is_taken_up_and_a_changed_one_restarted() {
    let place = Place::new();
    let first = place.start().await;
    let pid = pid_of(&first);
    drop(first);
    let second = place.start().await;
    assert_eq!(pid_of(&second), pid);
    drop(second);
    let options = ClusterOptions { durable: true, ..place.options() };
    let third = Cluster::start(options).await.unwrap();
    assert_ne!(pid_of(&third), pid);
    assert_eq!(text(third.provisioner_options(), "show fsync").await.unwrap(), "on");
    third.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_is_recovered_from() {
    let place = Place::new();
    let cluster = place.start().await;
    execute(cluster.provisioner_options(), "create table kept as select 'yes' as value").await.unwrap();
    // A backend that does not notice the end of its postmaster keeps the shared memory.
    let mut busy = PgConnection::connect_with(&cluster.provisioner_options()).await.unwrap();
    let busy = tokio::spawn(async move { sqlx::raw_sql("select pg_sleep(600)").execute(&mut busy).await });
    let pid = pid_of(&cluster);
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    while postmaster::is_ours(pid, &place.data()) {
        tokio::task::yield_now().await;
    }
    drop(cluster);
    let cluster = place.start().await;
    assert_eq!(text(cluster.provisioner_options(), "select value from kept").await.unwrap(), "yes");
    assert!(busy.await.unwrap().is_err());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_started_again_whoever_started_it() {
    let place = Place::new();
    let cluster = place.start().await;
    drop(cluster);
    // After the takeover, the server is not a child process. Its replacement is one.
    let cluster = place.start().await;
    for _ in 0..2 {
        let pid = pid_of(&cluster);
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        let again = async {
            while postmaster::running(&place.data()).is_none_or(|file| file.pid == pid)
                || text(cluster.provisioner_options(), "select 'in'").await.is_err()
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(60), again).await.unwrap();
    }
    cluster.stop().await.unwrap();
    assert!(postmaster::processes(&place.data()).is_empty());
}

#[tokio::test]
async fn stale_pid_files_are_survived() {
    let place = Place::new();
    place.start().await.stop().await.unwrap();
    // First the number of this test process, which is not a server, then a number that no process has,
    // then text that is not a number.
    for pid in [std::process::id().to_string(), "4194300".to_owned(), "garbage".to_owned()] {
        let text = format!("{pid}\n{}\n1\n5432\n/x\n\n  1 2\nready   \n", place.data().display());
        fs::write(place.data().join("postmaster.pid"), text).unwrap();
        fs::write(place.options().socket_dir.join(".s.PGSQL.5432.lock"), format!("{pid}\n")).unwrap();
        place.start().await.stop().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_first_start_left_is_removed_but_nothing_else() {
    let place = Place::new();
    let options = place.options();
    let partial = options.data_dir.with_file_name("data.partial");
    fs::create_dir_all(partial.join("data")).unwrap();
    fs::write(partial.join("data").join("PG_VERSION"), "15\n").unwrap();
    let error = place.refused(options.clone()).await;
    assert!(error.contains("data.partial") && error.contains("move it away"), "{error}");
    fs::write(partial.join("tenantry.partial"), "").unwrap();
    place.start().await.stop().await.unwrap();
    assert!(!partial.exists());
}

#[tokio::test]
async fn a_directory_that_is_no_cluster_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    fs::write(place.data().join("thesis.txt"), "").unwrap();
    if let OsUser::Drop { uid, gid, .. } = place.options().os_user {
        std::os::unix::fs::chown(place.data(), Some(uid), Some(gid)).unwrap();
    }
    let error = place.refused(place.options()).await;
    assert!(error.contains("not a PostgreSQL cluster"), "{error}");
    assert!(place.data().join("thesis.txt").exists());
}

#[tokio::test]
async fn a_second_daemon_is_refused_by_name() {
    let place = Place::new();
    let cluster = place.start().await;
    let error = place.refused(place.options()).await;
    assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
    cluster.stop().await.unwrap();
    place.start().await.stop().await.unwrap();
}

#[tokio::test]
async fn missing_and_unfit_programs_are_named() {
    let place = Place::new();
    let options = ClusterOptions { bin_dir: Some("/nonexistent/bin".into()), ..place.options() };
    let error = place.refused(options).await;
    assert!(error.contains("/nonexistent/bin") && error.contains("[embedded] bin_dir"), "{error}");
    assert!(!place.data().parent().unwrap().exists(), "nothing is left");
    let error = EmbeddedError::NoPrograms { found: vec!["PostgreSQL 13.4".into()] }.to_string();
    assert!(error.contains("apt-get install postgresql") && error.contains("13.4 is too old"), "{error}");

    place.start().await.stop().await.unwrap();
    fs::write(place.data().join("PG_VERSION"), "16\n").unwrap();
    let error = place.refused(place.options()).await;
    assert!(error.contains("was made by PostgreSQL 16") && error.contains("pg_upgrade"), "{error}");
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_is_refused_before_anything_is_made() {
    let place = Place::new();
    let long = place.dir.path().join("x".repeat(100));
    let options = ClusterOptions { socket_dir: long, ..place.options() };
    let error = place.refused(options).await;
    assert!(error.contains("allows 107") && error.contains("shorter"), "{error}");
    assert!(!place.data().parent().unwrap().exists());
}

#[tokio::test]
async fn a_path_with_quotes_and_spaces_works() {
    let place = Place::with_prefix("te st-'\"\\,#");
    let cluster = place.start().await;
    assert_eq!(text(cluster.provisioner_options(), "select 'in'").await.unwrap(), "in");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_can_not_start_says_why() {
    let place = Place::new();
    place.start().await.stop().await.unwrap();
    fs::remove_file(place.data().join("global").join("pg_control")).unwrap();
    let error = place.refused(place.options()).await;
    assert!(error.contains("server.log") && error.contains("pg_control"), "{error}");
    assert!(postmaster::processes(&place.data()).is_empty());
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_left() {
    // Only root can make a small file system. As an ordinary user, the same words are checked by the error alone.
    let place = Place::new();
    let small = place.dir.path().join("small");
    fs::create_dir(&small).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=20m,mode=0711", "none"])
        .arg(&small)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        let error = EmbeddedError::NoSpace { path: small, free: 0, needed: initdb::NEEDED_BYTES };
        assert!(error.to_string().contains("96 MiB"));
        return;
    }
    let home = small.join("cluster");
    let options =
        ClusterOptions { data_dir: home.join("data"), socket_dir: home.join("run"), ..place.options() };
    let error = place.refused(options.clone()).await;
    let left = fs::read_dir(&small).unwrap().count();
    // If the file system does not tell how little space is left, initdb itself runs out of it.
    let layout = Layout::prepare(&options).unwrap();
    let binaries = Binaries::find(None, None, &options.os_user).await.unwrap();
    let made = initdb::make_partial(&layout, &binaries, &options.os_user, Durability::Fleeting).await;
    let unmounted = std::process::Command::new("umount").arg(&small).status().unwrap();
    assert!(unmounted.success());
    assert!(error.contains("too full: 19 MiB are free") && error.contains("needs 96 MiB"), "{error}");
    assert_eq!(left, 0);
    assert!(matches!(made, Err(EmbeddedError::NoSpace { .. })), "{made:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_replaced() {
    let place = Place::new();
    let cluster = place.start().await;
    let pid = pid_of(&cluster);
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    drop(cluster);
    let cluster = timeout(Duration::from_secs(60), place.start()).await.unwrap();
    assert_ne!(pid_of(&cluster), pid);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_link_in_the_place_of_the_data_is_not_followed_into_foreign_ground() {
    let place = Place::new();
    let home = place.data().parent().unwrap().to_owned();
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o711)).unwrap();
    symlink("/usr", place.data()).unwrap();
    let error = place.refused(place.options()).await;
    assert!(error.contains("another user") || error.contains("not a PostgreSQL cluster"), "{error}");
}

#[tokio::test]
async fn a_killed_temporary_daemon_is_cleared_away_but_a_living_one_is_not() {
    let temp = Place::new();
    let prefix = crate::config::paths::EPHEMERAL_PREFIX;
    let make = |name: &str| {
        let mut place = ClusterOptions { ..temp.options() };
        let home = temp.dir.path().join(format!("{prefix}{name}")).join("cluster");
        (place.data_dir, place.socket_dir) = (home.join("data"), home.join("run"));
        place
    };
    let (dead, alive) = (make("dead"), make("alive"));
    let living = Cluster::start(alive.clone()).await.unwrap();
    drop(Cluster::start(dead.clone()).await.unwrap());
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
    for options in [&dead, &alive] {
        let lock = options.data_dir.with_file_name("cluster.lock");
        File::options().write(true).open(lock).unwrap().set_modified(long_ago).unwrap();
    }
    let removed = remove_abandoned(temp.dir.path()).await;
    assert_eq!(removed, [temp.dir.path().join(format!("{prefix}dead"))]);
    assert!(postmaster::processes(&dead.data_dir).is_empty() && !dead.data_dir.exists());
    assert_eq!(text(living.provisioner_options(), "select 'in'").await.unwrap(), "in");
    living.stop().await.unwrap();
}
