//! A private PostgreSQL cluster: reached only by its socket, without fsync, in a temporary folder with a short path.
//!
//! Tests that can share a cluster use [`Cluster::shared`]; a test that looks at the whole cluster, or stops it, uses its
//! own. The superuser is admitted by peer authentication, everybody else by password, as in production.

mod original;

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use nix::unistd::{Uid, User};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection as _, Executor};

use self::original::Original;
use super::reaper::Reaper;
use super::{binaries, scratch};

pub const SUPERUSER: &str = "harness";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The version of the system's packages: 15 on Debian 12.
    Packaged,
    V18,
}

#[derive(Debug)]
pub struct Cluster {
    base: PathBuf,
    bin: PathBuf,
    next: AtomicU32,
    /// Dropped last: ends the server and removes `base`.
    _reaper: Reaper,
}

impl Cluster {
    /// The cluster of this test process.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Self::private(Version::Packaged)).clone()
    }

    /// A cluster of the packaged version that keeps what it commits, as a server for customers does.
    pub fn durable() -> Arc<Self> {
        let cluster = Self::private(Version::Packaged);
        let data = cluster.base.join("data");
        let kept = "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nshared_buffers = '128MB'\n";
        cluster.crash();
        // Of two lines for one setting, the last counts.
        let settings = data.join("postgresql.auto.conf");
        let before = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(settings, before + kept).unwrap();
        cluster.restart();
        cluster
    }

    /// A cluster that no other test sees.
    pub fn private(version: Version) -> Arc<Self> {
        let original = Original::of(version);
        let base = open_folder();
        let data = base.join("data");
        let reaper = Reaper::watch(&data, &base);
        let cluster = Self { base, bin: original.bin.clone(), next: AtomicU32::new(1), _reaper: reaper };
        original.copy(&data);
        cluster.configure(&data);
        cluster.start(&data);
        Arc::new(cluster)
    }

    fn configure(&self, data: &Path) {
        let sockets = self.socket_dir();
        std::fs::create_dir(&sockets).unwrap();
        std::fs::set_permissions(&sockets, Permissions::from_mode(0o700)).unwrap();
        if let Some(user) = server_user() {
            chown(&sockets, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        // With hundreds of databases, the launcher of autovacuum would never rest. What is measured is measured with it.
        let autovacuum = if binaries::are_optimised() { "on" } else { "off" };
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nfull_page_writes = off\n\
             synchronous_commit = off\nmax_connections = 300\nshared_buffers = '64MB'\nautovacuum = {autovacuum}\n",
            sockets.display()
        );
        std::fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
    }

    fn start(&self, data: &Path) {
        let log = data.join("server.log");
        run(self
            .server_program("pg_ctl")
            .args(["start", "--silent", "--wait", "--timeout=60", "-D"])
            .arg(data)
            .arg("-l")
            .arg(&log));
    }

    /// Ends the server as a crash would. Only for a cluster of the test's own.
    pub fn crash(&self) {
        let data = self.base.join("data");
        run(self
            .server_program("pg_ctl")
            .args(["stop", "--silent", "--wait", "--mode=immediate", "-D"])
            .arg(data));
    }

    /// Starts the server that [`Cluster::crash`] ended.
    pub fn restart(&self) {
        self.start(&self.base.join("data"));
    }

    fn server_program(&self, name: &str) -> Command {
        server_program(&self.bin, name)
    }

    pub fn socket_dir(&self) -> PathBuf {
        self.base.join("s")
    }

    /// A new folder of this cluster, closed to other users.
    pub fn new_dir(&self) -> PathBuf {
        let dir = self.base.join(format!("e{}", self.next_number()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        dir
    }

    /// A number that no other call on this cluster returns.
    pub fn next_number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn server_log(&self) -> String {
        std::fs::read_to_string(self.base.join("data/server.log")).unwrap_or_default()
    }

    /// How to reach a database of this cluster; none of it comes from the environment.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.socket_dir())
            .port(5432)
            .username(SUPERUSER)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("tests")
            .disable_statement_logging()
    }

    /// A connection that sees everything.
    pub async fn superuser(&self, database: &str) -> PgConnection {
        self.options(database).connect().await.expect("the superuser can connect")
    }

    /// Runs statements as the superuser.
    pub async fn execute(&self, database: &str, sql: String) {
        self.execute_each(database, &[sql]).await;
    }

    /// The same for statements that do not go into one transaction: a new session costs more than most of them.
    pub async fn execute_each(&self, database: &str, statements: &[String]) {
        let mut connection = self.superuser(database).await;
        for sql in statements {
            let result = connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))).await;
            result.unwrap_or_else(|error| panic!("{error}\nin: {sql}"));
        }
        connection.close().await.ok();
    }
}

/// The user that the server runs as if the tests run as root; `None` if it runs as the same user as the tests.
pub fn server_user() -> Option<User> {
    Uid::effective().is_root().then(|| {
        User::from_name("postgres")
            .unwrap()
            .expect("as root, the tests need the user 'postgres' of Debian's package")
    })
}

/// A server program that runs as the user who owns the cluster; the server refuses to run as root.
fn server_program(bin: &Path, name: &str) -> Command {
    let mut command = Command::new(bin.join(name));
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    if let Some(user) = server_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// A new temporary folder with a short path, which every user can pass through.
fn open_folder() -> PathBuf {
    let base = tempfile::Builder::new().prefix("tnt-").tempdir_in(scratch::root()).unwrap().keep();
    std::fs::set_permissions(&base, Permissions::from_mode(0o755)).unwrap();
    base
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
