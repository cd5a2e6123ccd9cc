//! A target database as the daemon uses it: a pool of provisioner connections, and what was found or made on it before
//! the first tenant.
//!
//! Invariant: a connection goes back to the pool only after DISCARD ALL; on any doubt it is closed. The provisioner is
//! never a superuser: a target whose role is one is refused.

pub mod check;
pub mod commitment;
pub mod exposure;
pub mod location;
pub mod lookout;
pub mod marker;
mod membership;
pub mod prepared;
pub mod sessions;
mod trust;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres};
use tenantry_protocol::name::{PlacementName, TargetName};
use tokio::sync::Mutex;

use self::location::{Home, Site};
use self::lookout::Lookout;
use super::archive::dump::Archives;
use super::connections::kept;
use super::connections::queue::{self, Queue};
use super::control::DURABLE;
use super::error::{Error, Result, doing};
use super::quote::{Value, render};
use super::tenancy::database::template::Databases;
use super::tenancy::shared::pools;
use super::{canary, schema};

/// The oldest server that Tenantry works on.
pub const MINIMUM_VERSION_NUM: i32 = 150_000;
/// How long whoever wants a connection waits while nobody gets one, and for the server to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
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

/// A target; connects when it is first needed, so that one that is down hurts nobody else.
pub struct Target {
    options: TargetOptions,
    pool: PgPool,
    /// For its connections.
    queue: Queue,
    lookout: Lookout,
    ready: RwLock<Option<Arc<Ready>>>,
    /// What it has for tenants with databases of their own.
    databases: Databases,
    /// Held while it is made ready, which can take as long as a connection to a server that is mute.
    preparing: Mutex<()>,
    /// Builds so far, by server process.
    worn: SyncMutex<HashMap<i32, u32>>,
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
            ready: RwLock::default(),
            databases: Databases::default(),
            preparing: Mutex::default(),
            worn: SyncMutex::default(),
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

    /// The target made ready: reached, found fit, with our bookkeeping, the group and the canary. Made once, kept after.
    /// Whoever waits for somebody else's attempt waits no longer than for one of its own.
    pub async fn ready(&self) -> Result<Arc<Ready>> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let turn = tokio::time::timeout(ACQUIRE_TIMEOUT, self.preparing.lock()).await;
        let _turn = turn.map_err(|_| doing("prepare the target")(sqlx::Error::PoolTimedOut))?;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let made = Arc::new(Box::pin(self.prepare()).await?);
        self.know(Some(Arc::clone(&made)));
        Ok(made)
    }

    /// What is known of it without asking it, or waiting for anybody who does.
    pub fn known(&self) -> Option<Arc<Ready>> {
        self.ready.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what is known, so that the next use looks again: somebody may have changed the server.
    pub fn forget(&self) {
        self.databases.forget();
        self.know(None);
    }

    fn know(&self, ready: Option<Arc<Ready>>) {
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = ready;
    }

    /// A tenant whose objects live in this database.
    pub const fn site(&self) -> Site<'_> {
        Home::Target.on(self)
    }

    /// Where to look at a build from.
    pub const fn lookout(&self) -> &Lookout {
        &self.lookout
    }

    pub(super) const fn databases(&self) -> &Databases {
        &self.databases
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
        PgConnection::connect_with(&options).await.map_err(doing("connect to another database"))
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

    /// Connects and looks, and changes nothing: what it is, if it will do.
    pub async fn probe(&self) -> Result<String> {
        let mut connection = self.acquire().await?;
        let (version, _, role, database) = identify(&mut connection).await?;
        Ok(format!("PostgreSQL {version}, database {database}, as {role}"))
    }

    async fn prepare(&self) -> Result<Ready> {
        let mut connection = self.acquire().await?;
        let result = self.prepare_on(&mut connection).await;
        if result.is_err() {
            // An error in the middle leaves it in no known state.
            connection.close().await.ok();
        }
        result
    }

    async fn prepare_on(&self, connection: &mut PgConnection) -> Result<Ready> {
        let (server_version, version_num, provisioner, database) = identify(connection).await?;
        schema::TARGET.migrate(connection).await?;
        pools::secure_earlier(connection, &provisioner).await?;
        let group = match find_group(connection).await? {
            Some(group) => group,
            None => make_group(connection, &database).await?,
        };
        let mut ready = Ready {
            server_version,
            version_num,
            provisioner,
            database,
            group,
            canary: PlacementName::from_random(rand::random()),
            locks_max: check::room(connection).await?.locks_max,
        };
        ready.canary = canary::ensure(self, &ready).await?;
        Ok(ready)
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

/// Version, role and database, if they will do.
async fn identify(connection: &mut PgConnection) -> Result<(String, i32, String, String)> {
    let (version, version_num, role, database, is_superuser, may_create_roles): (String, i32, String, String, bool, bool) =
        sqlx::query_as(
            "select current_setting('server_version'), current_setting('server_version_num')::int, current_user::text,
                    current_database()::text, rolsuper, rolcreaterole
             from pg_catalog.pg_roles where rolname = current_user",
        )
        .fetch_one(connection)
        .await
        .map_err(doing("identify the target"))?;
    let short = version.split_whitespace().next().unwrap_or(&version).to_owned();
    if version_num < MINIMUM_VERSION_NUM {
        return Err(Error::Refused(format!("the server is PostgreSQL {short}; Tenantry needs 15 or later")));
    }
    if is_superuser {
        return Err(Error::Refused(format!(
            "the role {role} is a superuser, and migrations are other people's code: give the target a role made with \
             CREATE ROLE … LOGIN CREATEROLE CREATEDB that owns the database"
        )));
    }
    if !may_create_roles {
        return Err(Error::Refused(format!(
            "the role {role} may not create roles: have an administrator run ALTER ROLE {role} CREATEROLE"
        )));
    }
    Ok((short, version_num, role, database))
}

async fn find_group(connection: &mut PgConnection) -> Result<Option<String>> {
    sqlx::query_scalar("select group_role from tenantry.target_identity")
        .fetch_optional(connection)
        .await
        .map_err(doing("look for the target's group"))
}

async fn make_group(connection: &mut PgConnection, database: &str) -> Result<String> {
    // The random part of a placement name: groups belong to a cluster, which can hold several targets.
    let random = PlacementName::from_random(rand::random());
    let group = format!("tenantry_g_{}", random.as_str().trim_start_matches("t_"));
    let sql =
        render(GROUP, &[("group", Value::Identifier(&group)), ("database", Value::Identifier(database))]);
    let mut tx = connection.begin().await.map_err(doing("begin to make the target's group"))?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *tx)
        .await
        .map_err(doing("make the target's group"))?;
    sqlx::query("insert into tenantry.target_identity (group_role) values ($1)")
        .bind(&group)
        .execute(&mut *tx)
        .await
        .map_err(doing("note the target's group"))?;
    tx.commit().await.map_err(doing("commit the target's group"))?;
    Ok(group)
}

/// A refused REVOKE is only a warning; the check of a target reads the privileges back.
const GROUP: &str = "\
create role {group} nologin;
grant connect on database {database} to {group};
revoke connect, temporary on database {database} from public;
";
