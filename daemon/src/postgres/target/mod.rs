//! A target database: the pool of the provisioner's connections to it, and what is known about it. The code that makes a
//! target ready for tenants is in [`super::preparation`].
//!
//! Invariant: a connection goes back to the pool only after DISCARD ALL. If there is any doubt, it is closed.

pub mod databases;
mod known;
pub mod location;
pub mod lookout;
pub mod marker;
mod membership;
pub mod prepared_transactions;
mod reading;
pub mod rehearsed;
pub mod sessions;
pub mod settlement;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres};
use tenantry_protocol::name::{PlacementName, TargetName};

use self::databases::Groundwork;
use self::known::Known;
use self::location::{Home, Site};
use self::lookout::Lookout;
use self::reading::Reading;
use self::rehearsed::RehearsedUpgrades;
use super::connections::queue::{self, Queue};
use super::connections::{DURABLE, kept};
use super::error::{Result, doing};

/// How long a caller waits while nobody gets a connection, and how long the server may take to answer at all.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection to a tenant's own database is kept.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// A server process keeps every function that it has ever compiled, and goes through their plans at each change of the
/// catalog. After a hundred builds, the same build takes twice as long. A new process costs a few ms.
const MOST_WEAR: u32 = 64;
/// What the build of a tenant counts.
pub const WEAR_OF_A_BUILD: u32 = 8;
/// What an upgrade counts: it changes little of the catalog.
pub const WEAR_OF_AN_UPGRADE: u32 = 1;

/// The configuration of a target.
#[derive(Clone)]
pub struct TargetOptions {
    pub name: TargetName,
    pub connection: PgConnectOptions,
    pub capacity: Option<u64>,
    pub in_maintenance: bool,
    pub max_connections: u32,
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
    /// The certificates that vouch for the server; none to use the system's.
    pub ssl_root: Option<PathBuf>,
    /// How archives of its tenants are made.
    pub archives: Arc<Archives>,
}

/// Where archives go, and how they are made.
#[derive(Debug, Clone)]
pub struct Archives {
    pub dir: PathBuf,
    /// The directory of `pg_dump` and `pg_restore`; none for the nearest installed version.
    pub bin_dir: Option<PathBuf>,
    /// The directory of the private cluster's programs, which may include these two.
    pub cluster_bin_dir: Option<PathBuf>,
    /// How long it may take to make and check an archive.
    pub timeout: Duration,
}

/// The number of locks that all sessions of the server can hold together.
const LOCKS: &str = "select current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)";

/// A target. It connects when it is first needed, so that a target that is down does not affect others.
pub struct Target {
    options: TargetOptions,
    pool: PgPool,
    /// The queue for its connections.
    queue: Queue,
    lookout: Lookout,
    reading: Reading,
    ready: Known<Ready>,
    groundwork: Known<Groundwork>,
    rehearsed: RehearsedUpgrades,
    /// The size of the server's lock table, as the newest connection found it. A restart of the server can change it, and
    /// ends all connections.
    locks: Arc<AtomicI64>,
    /// The number of builds so far, by server process.
    worn: Mutex<HashMap<i32, u32>>,
}

/// What is known about a target that was reached and prepared.
#[derive(Debug, Clone)]
pub struct Ready {
    /// As the server reports it: `15.20`.
    pub server_version: String,
    pub version_num: i32,
    /// The daemon's role on this target.
    pub provisioner: String,
    pub database: String,
    /// The role that holds CONNECT on this database for its tenants.
    pub group: String,
    /// The tenant that probes attack.
    pub canary: PlacementName,
}

impl Ready {
    /// `15` for `15.20`.
    pub fn major(&self) -> u32 {
        self.version_num.unsigned_abs() / 10_000
    }
}

/// A connection of the provisioner. When it is dropped, it is cleaned or closed.
pub type TargetConnection = PoolConnection<Postgres>;

impl std::fmt::Debug for TargetOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The driver's own Debug shows the password.
        f.debug_struct("TargetOptions").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.options.name).finish_non_exhaustive()
    }
}

impl Target {
    pub fn new(options: TargetOptions) -> Self {
        let kept = kept::options(options.max_connections).acquire_timeout(queue::LONGEST);
        let locks = Arc::new(AtomicI64::default());
        let found = Arc::clone(&locks);
        let kept = kept.after_connect(move |connection, _| {
            let found = Arc::clone(&found);
            Box::pin(async move {
                found.store(
                    sqlx::query_scalar(LOCKS).persistent(false).fetch_one(connection).await?,
                    Ordering::Relaxed,
                );
                Ok(())
            })
        });
        let pool = pool(kept, provisioning(&options));
        let lookout = Lookout::new(provisioning(&options));
        let reading = Reading::new(provisioning(&options));
        Self {
            options,
            pool,
            lookout,
            reading,
            queue: Queue::default(),
            ready: Known::default(),
            groundwork: Known::default(),
            rehearsed: RehearsedUpgrades::default(),
            locks,
            worn: Mutex::default(),
        }
    }

    pub const fn options(&self) -> &TargetOptions {
        &self.options
    }

    pub const fn name(&self) -> &TargetName {
        &self.options.name
    }

    /// The target's address, without credentials.
    pub fn address(&self) -> String {
        let (host, port) = self.endpoint();
        format!("{host}:{port}/{}", self.database())
    }

    /// The host name or socket directory, and the port.
    pub fn endpoint(&self) -> (String, u16) {
        let connection = &self.options.connection;
        let host = connection
            .get_socket()
            .map_or_else(|| connection.get_host().to_owned(), |directory| directory.display().to_string());
        (host, connection.get_port())
    }

    pub fn database(&self) -> &str {
        self.options.connection.get_database().unwrap_or("postgres")
    }

    /// What is known about the target, without asking it or waiting for a caller that does.
    pub fn known(&self) -> Option<Arc<Ready>> {
        self.ready.get()
    }

    /// Forgets what is known, so that the next use looks again. Somebody may have changed the server.
    pub fn forget(&self) {
        self.groundwork.forget();
        self.ready.forget();
    }

    /// What was found or made on the target before its first tenant.
    pub(super) const fn readiness(&self) -> &Known<Ready> {
        &self.ready
    }

    /// What was made on the target for tenants with databases of their own.
    pub(super) const fn groundwork(&self) -> &Known<Groundwork> {
        &self.groundwork
    }

    pub const fn rehearsed(&self) -> &RehearsedUpgrades {
        &self.rehearsed
    }

    /// The site of a tenant whose objects live in this database.
    pub const fn site(&self) -> Site<'_> {
        Home::Target.on(self)
    }

    /// The number of locks that all sessions of the server can hold together; 0 before the first connection.
    pub fn locks(&self) -> i64 {
        self.locks.load(Ordering::Relaxed)
    }

    /// The lookout from which a build is observed.
    pub const fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// A pool of the provisioner's connections to another database of the same server. It connects only when it is used.
    pub fn pool_of(&self, database: &str, connections: u32) -> PgPool {
        let options = PgPoolOptions::new()
            .max_connections(connections)
            .idle_timeout(IDLE_TIME)
            .acquire_timeout(ACQUIRE_TIMEOUT);
        pool(options, provisioning(&self.options).database(database))
    }

    /// A single connection of the provisioner to another database of the same server.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        let options = provisioning(&self.options).database(database);
        Box::pin(PgConnection::connect_with(&options)).await.map_err(doing("connect to another database"))
    }

    /// Keeps the minimum of connections open from now on, so that sessions of tenants cannot take their places.
    pub fn keep_open(&self) {
        tokio::spawn(kept::keep(&self.pool, kept::LEAST));
        self.lookout.keep_open();
        self.reading.keep_open();
    }

    pub async fn acquire(&self) -> Result<TargetConnection> {
        self.queue
            .wait(ACQUIRE_TIMEOUT, kept::acquire(&self.pool))
            .await
            .map_err(doing("connect to the target"))
    }

    /// A connection to read the catalog with, which keeps its plans. It must be left as it was.
    pub(super) async fn read(&self) -> Result<TargetConnection> {
        self.queue.wait(ACQUIRE_TIMEOUT, self.reading.acquire()).await.map_err(doing("connect to the target"))
    }

    /// Takes back a connection on which a build was committed. It is used again, or is replaced if it is worn out.
    pub async fn take_back(&self, connection: TargetConnection, backend: i32, wear: u32) {
        if !self.is_worn(backend, wear) {
            return;
        }
        let pool = self.pool.clone();
        // In the background, so that the caller need not wait for another connection to be opened.
        tokio::spawn(async move { kept::replace(&pool, kept::LEAST, connection).await });
    }

    /// Counts what this server process did, and says whether it was the last thing.
    fn is_worn(&self, backend: i32, wear: u32) -> bool {
        let mut worn = self.worn.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is ever heard again of processes that ended in another way.
        if worn.len() > 16 * self.options.max_connections as usize {
            worn.clear();
        }
        let wear = worn.remove(&backend).unwrap_or(0) + wear;
        if wear < MOST_WEAR {
            worn.insert(backend, wear);
        }
        wear >= MOST_WEAR
    }

    /// Makes one round trip, over an open connection if there is one.
    pub async fn ping(&self) -> Result<Duration> {
        let begin = Instant::now();
        let mut connection = kept::acquire(&self.pool).await.map_err(doing("ask the target"))?;
        connection.execute("select 1").await.map_err(doing("ask the target"))?;
        Ok(begin.elapsed())
    }

    pub async fn close(&self) {
        let close = async { tokio::join!(self.pool.close(), self.lookout.close(), self.reading.close()) };
        let _ = tokio::time::timeout(ACQUIRE_TIMEOUT, close).await;
    }
}

/// What DISCARD ALL does, but for DISCARD PLANS: the plans are those of our own functions, and making them anew takes longer than
/// many a migration. Its first statement fails inside a transaction that was begun before, which then ends with its connection.
const CLEAN_UP: &str =
    "select 1 / (pg_catalog.transaction_timestamp() = pg_catalog.statement_timestamp())::int;
     close all; set session authorization default; reset all; deallocate all; unlisten *;
     select pg_catalog.pg_advisory_unlock_all(); discard sequences; discard temp";

/// The options with which the provisioner connects.
fn provisioning(options: &TargetOptions) -> PgConnectOptions {
    // These are start-up parameters, so that a migration's RESET ALL restores them, and not the server's defaults.
    options.connection.clone().application_name("tenantryd").statement_cache_capacity(0).options([
        ("search_path", "pg_catalog, pg_temp".to_owned()),
        ("lock_timeout", format!("{}ms", options.lock_timeout.as_millis())),
        ("statement_timeout", format!("{}ms", options.statement_timeout.as_millis())),
        ("idle_in_transaction_session_timeout", "60s".to_owned()),
        (DURABLE.0, DURABLE.1.to_owned()),
        ("client_min_messages", "warning".to_owned()),
        // If a tenant has made very many objects, the server would spend seconds on compiling queries of the catalog.
        ("jit", "off".to_owned()),
        // If its daemon is gone, a statement ends by itself, and with it the transaction that recovery waits for.
        ("client_connection_check_interval", "1s".to_owned()),
    ])
}

fn pool(options: PgPoolOptions, connection: PgConnectOptions) -> PgPool {
    kept::asked_when_idle(options)
        .after_release(|connection, _| {
            Box::pin(async move { Ok(connection.execute(CLEAN_UP).await.is_ok()) })
        })
        .connect_lazy_with(connection)
}
