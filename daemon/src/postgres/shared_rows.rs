//! A tenant's rows in a pool: counted, and removed in batches, as the tenant itself.
//!
//! Invariants: the policies say which rows are the tenant's, to whoever asks on its behalf; row security that is forced
//! hides rows from their tables' owner too, so nobody else could remove them. The blueprint's triggers run inside a
//! function of the tenant's, where RESET ROLE is refused. Nothing of the pool's own is changed.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;
use tokio::time::Instant;

use super::bookkeeping::{self, Mark};
use super::error::{Error, Result, doing, doing_for_a_tenant};
use super::execute::execute;
use super::quote::{Value, render};
use super::target::{Ready, Target};
use super::{pool_ddl, pools};

/// Rows of each table that are removed in one transaction: short enough for others to write beside it.
const ROWS_A_BATCH: i64 = 5_000;
/// How long a transaction that may still write for the tenant is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A tenant in a pool.
#[derive(Debug, Clone, Copy)]
pub struct Tenant<'a> {
    pub target: &'a Target,
    pub ready: &'a Ready,
    pub mark: Mark,
    pub placement: &'a PlacementName,
    pub pool: &'a PlacementName,
}

impl Tenant<'_> {
    /// Waits until nobody writes any more who was the tenant before its roles were closed: a session with a login of its
    /// own can have become the tenant by SET ROLE, and is not the tenant's to end.
    pub async fn wait_for_writers(&self) -> Result<()> {
        let mut connection = self.target.acquire().await?;
        let before = pools::writers(&mut connection, self.pool, self.placement).await?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let now = pools::writers(&mut connection, self.pool, self.placement).await?;
            let left = before.iter().filter(|writer| now.contains(writer)).count();
            if left == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::Lingering(format!(
                    "{left} transactions write into the shared tables for longer than {} s, of a login that may be the \
                     tenant: end them, and try again",
                    TIMEOUT.as_secs()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Removes all of the tenant's rows, however often it was begun; gives how many went now.
    pub async fn remove(&self) -> Result<u64> {
        let mut connection = self.target.acquire().await?;
        let mut removed = 0;
        loop {
            let gone = self.remove_some(&mut connection).await?;
            removed += gone.unsigned_abs();
            if gone == 0 {
                return Ok(removed);
            }
        }
    }

    async fn remove_some(&self, connection: &mut PgConnection) -> Result<i64> {
        let mut tx = connection.begin().await.map_err(doing("begin to remove the tenant's rows"))?;
        let state = bookkeeping::hold(&mut tx, self.mark).await?;
        if !matches!(state.as_str(), "removing" | "removed") {
            bookkeeping::set_state(&mut tx, self.mark.build, "removing").await?;
        }
        sqlx::query(
            "update tenantry.pool_member set is_leaving = true where placement = $1 and not is_leaving",
        )
        .bind(self.placement.as_str())
        .execute(&mut *tx)
        .await
        .map_err(doing("let the tenant's rows go"))?;
        execute(&mut tx, self.render(pool_ddl::CLEAR), "prepare to remove the tenant's rows").await?;
        let clear = self.render("select {placement}.tenantry_clear($1)");
        let gone: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(clear))
            .persistent(false)
            .bind(ROWS_A_BATCH)
            .fetch_one(&mut *tx)
            .await
            .map_err(doing_for_a_tenant("remove the tenant's rows"))?;
        // What a trigger put off would run at COMMIT, as the provisioner.
        execute(&mut tx, self.render(pool_ddl::SETTLE), "look for pending triggers").await?;
        execute(&mut tx, self.render(pool_ddl::SHARED_SEAL), "end the removal of rows").await?;
        tx.commit().await.map_err(doing("commit the removal of rows"))?;
        Ok(gone)
    }

    fn render(&self, template: &str) -> String {
        let values = [
            ("placement", Value::Placement(self.placement)),
            ("pool", Value::Placement(self.pool)),
            ("provisioner", Value::Identifier(&self.ready.provisioner)),
        ];
        render(template, &values)
    }
}

/// Counts the tenant's rows within a transaction that the caller rolls back.
pub(super) async fn count(
    connection: &mut PgConnection,
    ready: &Ready,
    placement: &PlacementName,
    pool: &PlacementName,
) -> Result<i64> {
    let values = [
        ("placement", Value::Placement(placement)),
        ("pool", Value::Placement(pool)),
        ("provisioner", Value::Identifier(&ready.provisioner)),
    ];
    execute(connection, render(pool_ddl::COUNT, &values), "prepare to count the tenant's rows").await?;
    let counter = render("select {placement}.tenantry_count()", &values);
    sqlx::query_scalar(sqlx::AssertSqlSafe(counter))
        .fetch_one(connection)
        .await
        .map_err(doing_for_a_tenant("count the tenant's rows"))
}
