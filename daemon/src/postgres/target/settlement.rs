//! Finds out whether a build was committed if nobody saw its end.
//!
//! An insert of a row with the build's own key, the tombstone, waits while the build is open. After that a unique violation says that
//! the build was committed. If the insert succeeds, the build was not, and it never can be: its key is taken.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use super::Target;
use super::location::Site;
use crate::postgres::error::{Error, Result, doing};

/// How long a daemon that takes over waits for a transaction that is about to end by itself.
const COURTESY: Duration = Duration::from_millis(300);

/// What became of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was never committed, and never will be.
    Void,
    /// It was committed, and everything that it made is there.
    Committed,
}

/// Finds out what became of a build, and makes sure that this does not change.
pub async fn settle(target: &Target, operation: OperationId, placement: &PlacementName) -> Result<Settled> {
    let mut connection = target.acquire().await?;
    bury(&mut connection, operation, placement).await
}

/// Like [`settle`], for a daemon that takes over. A session of the previous daemon that still holds the marker
/// in an open transaction does useless work, and the wait for it would last as long as its daemon is stopped.
/// So it is ended after a moment.
pub async fn displace(site: Site<'_>, operation: OperationId, placement: &PlacementName) -> Result<Settled> {
    let mut connection = site.acquire().await?;
    let waiting = backend(&mut connection).await?;
    displacing(site.target, waiting, operation, bury(&mut connection, operation, placement)).await
}

/// The server process of the connection.
pub(in crate::postgres) async fn backend(connection: &mut PgConnection) -> Result<i32> {
    sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(connection)
        .await
        .map_err(doing("identify the session"))
}

/// Does `work` in the process `waiting`, and ends sessions of this daemon's role that keep it waiting for the marker `build`.
pub(in crate::postgres) async fn displacing<T>(
    target: &Target,
    waiting: i32,
    build: OperationId,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    // Boxed: a future that is pinned in place would be stored twice.
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(COURTESY) => {}
        }
        match end_holders(target, waiting).await {
            Ok(0) => {}
            Ok(ended) => {
                tracing::warn!(%build, ended, "ended the sessions of a daemon that holds on to its work");
            }
            // The wait has its own time limit.
            Err(error) => {
                tracing::warn!(%build, error = %error.explain(), "a holder could not be ended")
            }
        }
    }
}

/// Ends the sessions of this daemon's role whose transaction the session `waiting` waits for. Returns their number. The server
/// itself identifies them: they hold the very transaction id.
async fn end_holders(target: &Target, waiting: i32) -> Result<i64> {
    let mut connection = target.acquire().await?;
    sqlx::query_scalar(
        "select count(pg_terminate_backend(a.pid))
         from pg_locks w
         join pg_locks h on h.locktype = 'transactionid' and h.transactionid = w.transactionid and h.granted
         join pg_stat_activity a on a.pid = h.pid
         where w.pid = $1 and w.locktype = 'transactionid' and not w.granted and h.pid <> w.pid
           and a.usename = current_user and a.application_name = current_setting('application_name')",
    )
    .bind(waiting)
    .fetch_one(&mut *connection)
    .await
    .map_err(doing("end the sessions that hold the marker"))
}

/// Ends the idle sessions of this daemon's role that block the session `waiting`. They belong to a daemon that was stopped in
/// the middle of its work. A living daemon is never idle that long within a build.
pub(in crate::postgres) async fn end_idle_holders(target: &Target, waiting: i32) -> Result<i64> {
    let mut connection = target.acquire().await?;
    sqlx::query_scalar(
        "select count(pg_terminate_backend(a.pid)) from unnest(pg_blocking_pids($1)) as b (pid)
         join pg_stat_activity a on a.pid = b.pid
         where a.usename = current_user and a.application_name = current_setting('application_name')
           and a.state = 'idle in transaction' and a.state_change < clock_timestamp() - interval '2 seconds'",
    )
    .bind(waiting)
    .fetch_one(&mut *connection)
    .await
    .map_err(doing("end the sessions that hold the pool"))
}

/// Finds out what became of a build that nobody continues, and leaves nothing of the question. A COMMIT that is still under way
/// is waited for.
pub(in crate::postgres) async fn ask(
    connection: &mut PgConnection,
    operation: OperationId,
    placement: &PlacementName,
) -> Result<Settled> {
    let mut tx = connection.begin().await.map_err(doing("begin to ask for the build"))?;
    let asked = insert_tombstone(&mut tx, operation, placement).await;
    tx.rollback().await.map_err(doing("end the question for the build"))?;
    match asked {
        Ok(()) => Ok(Settled::Void),
        Err(Error::MarkerExists) => Ok(Settled::Committed),
        Err(error) => Err(error),
    }
}

async fn insert_tombstone(
    connection: &mut PgConnection,
    operation: OperationId,
    placement: &PlacementName,
) -> Result<()> {
    sqlx::query(
        "insert into tenantry.placement (operation_id, kind, placement, state) values ($1, 'tombstone', $2, 'void')",
    )
    .bind(operation.as_uuid())
    .bind(placement.as_str())
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(doing("insert the tombstone"))
}

async fn bury(
    connection: &mut PgConnection,
    operation: OperationId,
    placement: &PlacementName,
) -> Result<Settled> {
    match insert_tombstone(connection, operation, placement).await {
        Ok(()) => Ok(Settled::Void),
        Err(Error::MarkerExists) => {
            let (kind, name): (String, String) =
                sqlx::query_as("select kind, placement from tenantry.placement where operation_id = $1")
                    .bind(operation.as_uuid())
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(doing("read the marker"))?;
            if name != placement.as_str() {
                return Err(Error::Corrupt {
                    what: "the marker",
                    why: format!("it names {name}, not {placement}"),
                });
            }
            Ok(if kind == "tombstone" { Settled::Void } else { Settled::Committed })
        }
        Err(error) => Err(error),
    }
}
