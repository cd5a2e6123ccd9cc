//! A target database: the pool of the provisioner's connections to it, and what is known of it. What makes a target ready
//! for tenants stands above, in [`super::preparation`].
//!
//! Invariant: a connection goes back to the pool only after DISCARD ALL; on any doubt it is closed.

pub mod databases;
mod known;
pub mod location;
pub mod lookout;
pub mod marker;
mod membership;
pub mod prepared_transactions;
pub mod sessions;
pub mod settlement;

use std::collections::HashMap;
use std::path::PathBuf;
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
use super::connections::queue::{self, Queue};
use super::connections::{DURABLE, kept};
use super::error::{Result, doing};

/// How long whoever wants a connection waits while nobody gets one, and for the server to answer at all.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection to a tenant's own database is kept that nobody needs.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// A server process keeps every function that it ever compiled, and walks their plans at each change of the catalog: a
/// hundred builds later the same build takes twice as long. A new process costs a few ms.
const BUILDS_PER_CONNECTION: u32 = 8;

/// What the configuration says of a target.
#[derive(Clone)]
pub struct TargetOptions {
    pub name: TargetName,
    pub connection: PgConnectOptions,
    pub capacity: Option<u64>,
    pub in_maintenance: bool,
    pub max_connections: u32,
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
    /// The certificates that vouch for the server; none for the system's.
    pub ssl_root: Option<PathBuf>,
    /// How archives of its tenants are made.
    pub archives: Arc<Archives>,
}

/// Where archives go, and how they are made.
#[derive(Debug, Clone)]
pub struct Archives {
    pub dir: PathBuf,
    /// Of `pg_dump` and `pg_restore`; none for the nearest that are installed.
    pub bin_dir: Option<PathBuf>,
    /// Of the private cluster's programs; these may be among them.
    pub cluster_bin_dir: Option<PathBuf>,
    /// How long making and checking one may take.
    pub timeout: Duration,
}

/// A target; connects when it is first needed, so that one that is down hurts nobody else.
pub struct Target {
    options: TargetOptions,
    pool: PgPool,
    /// For its connections.
    queue: Queue,
    lookout: Lookout,
    ready: Known<Ready>,
    groundwork: Known<Groundwork>,
    /// Builds so far, by server process.
    worn: Mutex<HashMap<i32, u32>>,
}

/// What holds for a target that was reached and prepared.
#[derive(Debug, Clone)]
pub struct Ready {
    /// As the server says it: `15.20`.
    pub server_version: String,
    pub version_num: i32,
    /// The daemon's role here.
    pub provisioner: String,
    pub database: String,
    /// Holds CONNECT on this database for its tenants.
    pub group: String,
    /// The tenant that probes attack.
    pub canary: PlacementName,
    /// Locks that all sessions of the server can hold together.
    pub locks_max: i64,
}

impl Ready {
    /// `15` of `15.20`.
    pub fn major(&self) -> u32 {
        self.version_num.unsigned_abs() / 10_000
    }
}

/// A connection of the provisioner. Dropped, it is cleaned or closed.
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
        let pool = pool(kept, provisioning(&options));
        let lookout = Lookout::new(provisioning(&options));
        Self {
            options,
            pool,
            lookout,
            queue: Queue::default(),
            ready: Known::default(),
            groundwork: Known::default(),
            worn: Mutex::default(),
        }
    }

    pub const fn options(&self) -> &TargetOptions {
        &self.options
    }

    pub const fn name(&self) -> &TargetName {
        &self.options.name
    }

    /// Where it is, without credentials.
    pub fn address(&self) -> String {
        let (host, port) = self.endpoint();
        format!("{host}:{port}/{}", self.database())
    }

    /// Host name or socket directory, and port.
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

    /// What is known of it without asking it, or waiting for anybody who does.
    pub fn known(&self) -> Option<Arc<Ready>> {
        self.ready.get()
    }

    /// Forgets what is known, so that the next use looks again: somebody may have changed the server.
    pub fn forget(&self) {
        self.groundwork.forget();
        self.ready.forget();
    }

    /// What was found on it, or made, before its first tenant.
    pub(super) const fn readiness(&self) -> &Known<Ready> {
        &self.ready
    }

    /// What was made on it for tenants with databases of their own.
    pub(super) const fn groundwork(&self) -> &Known<Groundwork> {
        &self.groundwork
    }

    /// A tenant whose objects live in this database.
    pub const fn site(&self) -> Site<'_> {
        Home::Target.on(self)
    }

    /// Where to look at a build from.
    pub const fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    /// Connections of the provisioner to another database of the same server; none is made before it is asked for.
    pub fn pool_of(&self, database: &str, connections: u32) -> PgPool {
        let options = PgPoolOptions::new()
            .max_connections(connections)
            .idle_timeout(IDLE_TIME)
            .acquire_timeout(ACQUIRE_TIMEOUT);
        pool(options, provisioning(&self.options).database(database))
    }

    /// One connection of the provisioner to another database of the same server.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        let options = provisioning(&self.options).database(database);
        Box::pin(PgConnection::connect_with(&options)).await.map_err(doing("connect to another database"))
    }

    /// Keeps the least connections open from now on, so that sessions of tenants cannot take their places.
    pub fn keep_open(&self) {
        tokio::spawn(kept::keep(&self.pool, kept::LEAST));
        self.lookout.keep_open();
    }

    pub async fn acquire(&self) -> Result<TargetConnection> {
        self.queue.wait(ACQUIRE_TIMEOUT, self.pool.acquire()).await.map_err(doing("connect to the target"))
    }

    /// Takes back a connection on which a build was committed: for the next use, or worn out, and then replaced.
    pub async fn take_back(&self, connection: TargetConnection, backend: i32) {
        if !self.is_worn(backend) {
            return;
        }
        let pool = self.pool.clone();
        // Aside: whoever committed the build need not wait for another connection to be opened.
        tokio::spawn(async move { kept::replace(&pool, kept::LEAST, connection).await });
    }

    /// Counts a build of this server process, and says whether it was its last.
    fn is_worn(&self, backend: i32) -> bool {
        let mut worn = self.worn.lock().unwrap_or_else(PoisonError::into_inner);
        // Processes that ended otherwise are never heard of again.
        if worn.len() > 16 * self.options.max_connections as usize {
            worn.clear();
        }
        let builds = worn.remove(&backend).unwrap_or(0) + 1;
        if builds < BUILDS_PER_CONNECTION {
            worn.insert(backend, builds);
        }
        builds >= BUILDS_PER_CONNECTION
    }

    /// One round trip, over a connection that is already open where there is one.
    pub async fn ping(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.pool.execute("select 1").await.map_err(doing("ask the target"))?;
        Ok(begin.elapsed())
    }

    pub async fn close(&self) {
        let close = async { tokio::join!(self.pool.close(), self.lookout.close()) };
        let _ = tokio::time::timeout(ACQUIRE_TIMEOUT, close).await;
    }
}

/// How the provisioner connects.
fn provisioning(options: &TargetOptions) -> PgConnectOptions {
    // As start-up parameters, so that a migration's RESET ALL brings these back, and not the server's defaults.
    options.connection.clone().application_name("tenantryd").statement_cache_capacity(0).options([
        ("search_path", "pg_catalog, pg_temp".to_owned()),
        ("lock_timeout", format!("{}ms", options.lock_timeout.as_millis())),
        ("statement_timeout", format!("{}ms", options.statement_timeout.as_millis())),
        ("idle_in_transaction_session_timeout", "60s".to_owned()),
        (DURABLE.0, DURABLE.1.to_owned()),
        ("client_min_messages", "warning".to_owned()),
        // Where a tenant made very much, the server would compile for seconds what reads the catalog.
        ("jit", "off".to_owned()),
        // A statement whose daemon is gone ends by itself, and with it the transaction that recovery waits for.
        ("client_connection_check_interval", "1s".to_owned()),
    ])
}

fn pool(options: PgPoolOptions, connection: PgConnectOptions) -> PgPool {
    options
        .test_before_acquire(true)
        .after_release(|connection, _| {
            // Fails inside a transaction, which then ends with its connection.
            Box::pin(async move { Ok(connection.execute("discard all").await.is_ok()) })
        })
        .connect_lazy_with(connection)
}
