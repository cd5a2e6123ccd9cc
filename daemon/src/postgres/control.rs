//! The control database: opening it, and the fence that every writing transaction passes.
//!
//! Invariant: whoever writes holds the epoch row FOR SHARE at the epoch this daemon took. A later daemon's takeover
//! waits for such a transaction and fails every later one with [`Error::Fenced`].

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};

use super::error::{Error, Result, doing};
use super::quote::{Value, render};
use super::schema;

/// How long a request waits for a free connection, or for the server to answer at all.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECTIONS: u32 = 8;

/// Where the control database is. Without an owner of its own the runtime role owns the schema too.
#[derive(Clone)]
pub struct ControlOptions {
    pub runtime: PgConnectOptions,
    pub owner: Option<PgConnectOptions>,
}

/// The opened control database, at the epoch that this daemon took.
#[derive(Debug)]
pub struct Control {
    pool: PgPool,
    epoch: i64,
}

/// A writing transaction behind the fence.
pub type ControlTx = Transaction<'static, Postgres>;

impl std::fmt::Debug for ControlOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The driver's own Debug shows the password.
        f.debug_struct("ControlOptions")
            .field("database", &self.runtime.get_database())
            .finish_non_exhaustive()
    }
}

impl Control {
    /// Brings the schema up to date, lets the runtime role use it, and takes the next epoch for `holder`.
    pub async fn open(options: ControlOptions, holder: &str) -> Result<Self> {
        let owner = options.owner.as_ref().unwrap_or(&options.runtime);
        let mut connection =
            PgConnection::connect_with(owner).await.map_err(doing("connect to the control database"))?;
        schema::CONTROL.migrate(&mut connection).await?;
        if options.owner.is_some() {
            let grants =
                render(RUNTIME_GRANTS, &[("runtime", Value::Identifier(options.runtime.get_username()))]);
            sqlx::raw_sql(sqlx::AssertSqlSafe(grants))
                .execute(&mut connection)
                .await
                .map_err(doing("let the runtime role use the control schema"))?;
        }
        // A failed goodbye on a connection that has done its work changes nothing.
        connection.close().await.ok();
        let pool = PgPoolOptions::new()
            .min_connections(1)
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(Duration::from_secs(60))
            .connect_with(bounded(options.runtime))
            .await
            .map_err(doing("connect to the control database"))?;
        let epoch = sqlx::query_scalar(
            "update control.epoch set epoch = epoch + 1, holder = $1, taken_at = now() returning epoch",
        )
        .bind(holder)
        .fetch_one(&pool)
        .await
        .map_err(doing("take the epoch"))?;
        Ok(Self { pool, epoch })
    }

    /// Connects and looks, and changes nothing: the server's version.
    pub async fn probe(options: &ControlOptions) -> Result<String> {
        let mut version = String::new();
        for role in options.owner.iter().chain([&options.runtime]) {
            let connected = PgConnection::connect_with(role).await;
            let mut connection = connected.map_err(doing("connect to the control database"))?;
            version = sqlx::query_scalar("select 'PostgreSQL ' || current_setting('server_version')")
                .fetch_one(&mut connection)
                .await
                .map_err(doing("ask the control database for its version"))?;
            connection.close().await.ok();
        }
        Ok(version)
    }

    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// For reads, which need no fence.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A transaction that may write.
    pub async fn begin(&self) -> Result<ControlTx> {
        let mut tx = self.pool.begin().await.map_err(doing("begin a transaction"))?;
        let mine = sqlx::query("select 1 from control.epoch where epoch = $1 for share")
            .bind(self.epoch)
            .fetch_optional(&mut *tx)
            .await
            .map_err(doing("pass the fence"))?;
        if mine.is_some() { Ok(tx) } else { Err(Error::Fenced) }
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1")
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(doing("ask the control database"))
    }

    pub async fn close(&self) {
        // Bounded: a connection that hangs must not hold up the daemon's end.
        let _ = tokio::time::timeout(ACQUIRE_TIMEOUT, self.pool.close()).await;
    }
}

/// Nothing waits for ever: not for somebody who holds the trail's head, and a stopped daemon's transaction does not
/// hold up the one that takes over.
fn bounded(runtime: PgConnectOptions) -> PgConnectOptions {
    runtime.application_name("tenantryd").options([
        ("lock_timeout", "10s"),
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ])
}

/// What the daemon's runtime role may do where it does not own the schema. The audit trail: add, and read.
const RUNTIME_GRANTS: &str = "\
grant usage on schema control to {runtime};
grant select on all tables in schema control to {runtime};
grant insert, update on control.target, control.tenant, control.operation to {runtime};
grant insert on control.operation_event, control.idempotency_key, control.isolation_report,
    control.blueprint_version, control.blueprint_file, control.audit_event, control.audit_detail to {runtime};
grant update on control.epoch, control.heartbeat, control.audit_head to {runtime};
grant delete on control.audit_detail to {runtime};
grant execute on function control.ensure_audit_partition(bigint) to {runtime};
";
