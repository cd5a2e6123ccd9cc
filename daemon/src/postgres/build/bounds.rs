//! What the files of a build must not leave behind: work that COMMIT would do as the provisioner, and
//! writes to objects of other owners.

use sqlx::Row as _;
use tenantry_protocol::name::PlacementName;

use super::file_error::{FileError, told_of_foreign};
use super::runner::Build;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, literal, render};
use crate::postgres::target::marker::Use;
use crate::postgres::tenant_ddl;

/// What the server reports for a table with pending trigger events.
const PENDING: &str = "55006";

impl Build {
    /// The runner makes all deferred triggers fire within its bounds. But a trigger can defer again and queue more events,
    /// which before PostgreSQL 18 would fire at COMMIT, as the provisioner. The server refuses to alter a table with pending
    /// events, and a change to the same owner changes nothing else. All tables with a trigger are checked, because an event
    /// stays deferred even after its constraint is made not deferrable. They can be many, so one message checks all of them
    /// after the last file. Events that are still pending then were not fired by the end of any later file. Where the tenant is
    /// in use, only the tables that were written to are asked, and the question locks nobody out.
    pub async fn check_deferred_triggers(&mut self) -> Result<(), FileError> {
        let tables = std::mem::take(&mut self.restless);
        if tables.is_empty() {
            return Ok(());
        }
        if self.in_use == Use::InUse {
            self.execute(tenant_ddl::WAIT_BRIEFLY.to_owned(), "bound the waits for locks").await?;
        }
        let owner = &self.placement;
        let sql: Vec<String> = match self.in_use {
            Use::Unused => {
                tables.iter().map(|table| format!("alter table only {table} owner to {owner}")).collect()
            }
            Use::InUse => sqlx::query_scalar(tenant_ddl::SETTLE_IN_USE)
                .persistent(false)
                .bind(&tables)
                .fetch_all(&mut *self.connection)
                .await
                .map_err(doing("name the tables with triggers"))?,
        };
        let Err(error) = self.execute(sql.join(";"), "look for pending triggers").await else {
            return Ok(());
        };
        Err(match error.server() {
            Some(server) if server.is(PENDING) => FileError::Unsafe(format!(
                "the migration leaves deferred triggers pending ({}): let them fire within the file",
                server.message
            )),
            _ => error.into(),
        })
    }

    /// The same for the tables of a pool, which are in use by others: the pool's owner checks them, and nobody is locked out.
    pub(super) async fn check_pool_at_rest(&mut self) -> Result<(), FileError> {
        let Some(pool) = self.pool.clone() else { return Ok(()) };
        self.check_at_rest(&pool).await
    }

    pub(super) async fn check_at_rest(&mut self, pool: &PlacementName) -> Result<(), FileError> {
        let sql = render(pool_ddl::SETTLE, &[("pool", Value::Placement(pool))]);
        let Err(error) = self.execute(sql, "look for pending triggers").await else { return Ok(()) };
        Err(match error.server() {
            Some(server) if server.is(PENDING) => FileError::Unsafe(
                "the file leaves deferred triggers of the shared tables pending: let them fire within it"
                    .to_owned(),
            ),
            _ => error.into(),
        })
    }

    /// Checks that no file has written to anything of another owner. A trigger on such a table could have deferred
    /// work, which before PostgreSQL 18 would run at COMMIT, as the provisioner. Only the locks show this, because the
    /// text of a file can hide anything.
    ///
    /// What is to follow runs in the same message. If this fails, the transaction must not be committed.
    pub(super) async fn check_writes_and(&mut self, then: &str) -> Result<()> {
        let home = self.pool.as_ref().unwrap_or(&self.placement);
        let (owner, home) = (literal(self.placement.as_str()), literal(home.as_str()));
        let sql = format!("select tenantry.foreign_writes({owner}, {home}); {then}");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await;
        let rows = rows.map_err(doing("look for writes outside of the tenant, and seal the build"))?;
        let foreign = rows.first().ok_or(sqlx::Error::RowNotFound).and_then(|row| row.try_get(0));
        let foreign: Vec<String> = foreign.map_err(doing("look for writes outside of the tenant"))?;
        if foreign.is_empty() { Ok(()) } else { Err(Error::Refused(told_of_foreign(&foreign))) }
    }
}
