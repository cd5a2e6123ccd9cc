//! The control database: opening it, and the fence that every writing transaction has to pass.
//!
//! Invariant: every writing transaction holds the epoch row FOR SHARE, at the epoch that this daemon took. The takeover by a
//! later daemon waits for such a transaction and fails every later one with [`Error::Fenced`].

pub mod archives;
pub mod blueprints;
pub mod counts;
pub mod fingerprints;
pub mod lease;
pub mod operations;
pub mod rehearsals;
pub mod reports;
pub mod targets;
pub mod tenants;
pub mod upgrade_units;
pub mod upgraded;
pub mod upgrades;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::counts::{KeptCounts, WriteNote};
use self::lease::{Holder, Lease, Takeover};
use super::connections::DURABLE;
use super::connections::kept;
use super::connections::queue::Queue;
use super::error::{Error, Result, doing};
use super::quote::{Value, render};
use super::schema;
use crate::model::blueprint::Blueprint;

/// How long a request waits for a free connection, or for the server to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// All of them are kept open. Opened when it is needed, one would not come while tenants have taken all others of the server.
const CONNECTIONS: u32 = 8;
/// A transaction that writes finds its rows by their keys, so that the first plan of a statement is as good as any other. Without this,
/// each connection plans each statement five times anew.
const BEGIN: &str = "begin; set local plan_cache_mode = force_generic_plan";
/// The number of writing transactions at a time. They wait for each other at the trail's end, and the other
/// connections remain for readers.
const WRITERS: usize = 4;
/// The least timeout for idle transactions, because a busy machine can keep the daemon from its own transaction for a while.
const LEAST_IDLE_TIME: Duration = Duration::from_secs(3);

/// Where the control database is. If there is no separate owner, the runtime role owns the schema, too.
#[derive(Clone)]
pub struct ControlOptions {
    pub runtime: PgConnectOptions,
    pub owner: Option<PgConnectOptions>,
}

/// The opened control database.
#[derive(Debug)]
pub struct Control {
    pool: PgPool,
    /// The places for writing transactions.
    writers: Arc<Semaphore>,
    /// The queue for these places.
    queue: Queue,
    runtime: PgConnectOptions,
    holder: Holder,
    counts: Arc<KeptCounts>,
    /// Versions of blueprints that were read.
    versions: blueprints::ReadVersions,
    /// How long a sign of life is valid.
    lease_time: Duration,
    lease: Lease,
}

/// A writing transaction behind the fence.
#[derive(Debug)]
pub struct ControlTx {
    tx: Transaction<'static, Postgres>,
    _written: WriteNote,
    _place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for ControlOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The driver's own Debug shows the password.
        f.debug_struct("ControlOptions")
            .field("database", &self.runtime.get_database())
            .finish_non_exhaustive()
    }
}

impl Control {
    /// Brings the schema up to date and lets the runtime role use it. From then on the database can be
    /// read. Writing needs the fence.
    pub async fn open(options: ControlOptions, holder: Holder, lease_time: Duration) -> Result<Self> {
        let owner = options.owner.as_ref().unwrap_or(&options.runtime);
        let mut connection = Box::pin(PgConnection::connect_with(owner))
            .await
            .map_err(doing("connect to the control database"))?;
        schema::CONTROL.migrate(&mut connection).await?;
        if options.owner.is_some() {
            let grants =
                render(RUNTIME_GRANTS, &[("runtime", Value::Identifier(options.runtime.get_username()))]);
            sqlx::raw_sql(sqlx::AssertSqlSafe(grants))
                .execute(&mut connection)
                .await
                .map_err(doing("let the runtime role use the control schema"))?;
        }
        // The connection has done its work, so a failed close changes nothing.
        connection.close().await.ok();
        let runtime = bounded(options.runtime, lease_time);
        let pool = kept::options(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(runtime.clone())
            .await
            .map_err(doing("connect to the control database"))?;
        tokio::spawn(kept::keep(&pool, CONNECTIONS));
        let (writers, queue) = (Arc::new(Semaphore::new(WRITERS)), Queue::default());
        let versions = blueprints::ReadVersions::default();
        let counts = Arc::default();
        Ok(Self {
            pool,
            writers,
            queue,
            runtime,
            holder,
            counts,
            versions,
            lease_time,
            lease: Lease::default(),
        })
    }

    /// A separate connection for the lease: behind a busy pool, its signs of life would come too late.
    pub async fn connect(&self) -> Result<PgConnection> {
        let connect = Box::pin(PgConnection::connect_with(&self.runtime));
        match tokio::time::timeout(ACQUIRE_TIMEOUT, connect).await {
            Ok(connected) => connected.map_err(doing("connect to the control database")),
            Err(_) => Err(doing("connect to the control database")(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Tries to become the daemon that may write.
    pub async fn take(&self, connection: &mut PgConnection) -> Result<Takeover> {
        self.lease.take(connection, &self.holder, self.lease_time).await
    }

    /// Gives a sign of life. It may take at most as long as it is valid.
    pub async fn beat(&self, connection: &mut PgConnection) -> Result<()> {
        match tokio::time::timeout(self.lease_time, self.lease.beat(connection, self.lease_time)).await {
            Ok(result) => result,
            Err(_) => Err(doing("give a sign of life")(sqlx::Error::PoolTimedOut)),
        }
    }

    pub async fn release(&self, connection: &mut PgConnection) -> Result<()> {
        self.lease.release(connection).await
    }

    /// How often to give a sign of life, or to look for that of another daemon.
    pub fn beat_every(&self) -> Duration {
        self.lease_time / 4
    }

    /// The epoch under which this daemon may write now; an error if it may not.
    pub fn may_write(&self) -> Result<i64> {
        self.lease.epoch()
    }

    /// The daemon that held the control database before this one.
    pub fn held_before_by(&self) -> Option<String> {
        self.lease.before()
    }

    /// The daemon that holds the fence instead of this one.
    pub fn standing_by_for(&self) -> Option<String> {
        self.lease.other()
    }

    /// Connects and returns the server's version, without changing anything.
    pub async fn probe(options: &ControlOptions) -> Result<String> {
        let mut version = String::new();
        for role in options.owner.iter().chain([&options.runtime]) {
            let connected = Box::pin(PgConnection::connect_with(role)).await;
            let mut connection = connected.map_err(doing("connect to the control database"))?;
            version = sqlx::query_scalar("select 'PostgreSQL ' || current_setting('server_version')")
                .fetch_one(&mut connection)
                .await
                .map_err(doing("ask the control database for its version"))?;
            connection.close().await.ok();
        }
        Ok(version)
    }

    /// The last epoch that this daemon had; 0 if none.
    pub fn epoch(&self) -> i64 {
        self.lease.last_epoch()
    }

    /// The pool for reads, which need no fence.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A version of a blueprint, parsed, with what takes its files back.
    pub async fn blueprint(&self, name: &BlueprintName, version: BlueprintVersion) -> Result<Arc<Blueprint>> {
        self.versions.get(&self.pool, self.epoch(), name, version).await
    }

    /// What takes a version's files back has changed.
    pub fn forget_blueprint(&self, name: &BlueprintName, version: BlueprintVersion) {
        self.versions.forget(name, version);
    }

    /// Begins a transaction that may write.
    pub async fn begin(&self) -> Result<ControlTx> {
        // A daemon that may not write must not wait in the queue.
        self.lease.epoch()?;
        let place = Arc::clone(&self.writers).acquire_owned().map_err(|_| sqlx::Error::PoolClosed);
        let place = self.queue.wait(ACQUIRE_TIMEOUT, place).await.map_err(doing("begin a transaction"))?;
        let epoch = self.lease.epoch()?;
        let mut tx = Box::pin(self.pool.begin_with(BEGIN)).await.map_err(doing("begin a transaction"))?;
        let mine = sqlx::query("select 1 from control.epoch where epoch = $1 for share")
            .bind(epoch)
            .fetch_optional(&mut *tx)
            .await
            .map_err(doing("pass the fence"))?;
        let written = self.counts.note();
        if mine.is_some() {
            Ok(ControlTx { tx, _written: written, _place: place })
        } else {
            Err(Error::Fenced)
        }
    }

    /// Makes one round trip to the server.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1")
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(doing("ask the control database"))
    }

    pub async fn close(&self) {
        // With a time limit, because a connection that hangs must not delay the daemon's exit.
        let _ = tokio::time::timeout(ACQUIRE_TIMEOUT, self.pool.close()).await;
    }
}

impl ControlTx {
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }
}

impl Deref for ControlTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for ControlTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

/// Limits every wait: nothing waits forever for a session that holds the trail's head, and the transaction of a stopped daemon
/// does not delay the daemon that takes over.
fn bounded(runtime: PgConnectOptions, lease_time: Duration) -> PgConnectOptions {
    let idle = format!("{}ms", lease_time.max(LEAST_IDLE_TIME).as_millis());
    runtime.application_name("tenantryd").options([
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", idle.as_str()),
        // Compilation takes longer than any of the daemon's statements runs.
        ("jit", "off"),
        DURABLE,
    ])
}

/// The rights of the daemon's runtime role if it does not own the schema. It may append to the audit trail and read it.
const RUNTIME_GRANTS: &str = "\
grant usage on schema control to {runtime};
grant select on all tables in schema control to {runtime};
grant insert, update on control.target, control.tenant, control.operation, control.archive, control.upgrade,
    control.upgrade_unit to {runtime};
grant insert on control.operation_event, control.idempotency_key, control.isolation_report,
    control.blueprint_version, control.blueprint_file, control.audit_event, control.audit_detail,
    control.audit_checkpoint, control.fingerprint to {runtime};
grant insert, delete on control.blueprint_undo_file to {runtime};
grant update on control.epoch, control.heartbeat, control.audit_head to {runtime};
grant delete on control.audit_detail to {runtime};
grant insert, update (slug, reason, placed_by, released_at) on control.audit_hold to {runtime};
grant execute on function control.ensure_audit_partition(bigint) to {runtime};
grant execute on function control.prune_audit_segment(bigint, timestamptz) to {runtime};
";
