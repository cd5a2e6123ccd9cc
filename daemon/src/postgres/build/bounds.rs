//! What the files of a build may not leave behind: work that COMMIT would do as the provisioner, and writes to what belongs to
//! somebody else.

use super::runner::{Build, FileError};
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};

/// What the server says of a table with pending events.
const PENDING: &str = "55006";

impl Build {
    /// The runner makes all deferred triggers fire within its bounds, but a trigger can defer again and queue more,
    /// which before PostgreSQL 18 would fire at COMMIT, as the provisioner. The server refuses to alter a table with
    /// pending events; a change of owner to the same owner changes nothing else. All tables are looked at that have a trigger: an
    /// event stays deferred though its constraint is made not deferrable. There are many, so that one message asks for all, and
    /// that after the last file; what is still pending then, no later file's end has made to fire.
    pub async fn check_deferred_triggers(&mut self) -> Result<(), FileError> {
        let tables = std::mem::take(&mut self.restless);
        if tables.is_empty() {
            return Ok(());
        }
        let owner = &self.placement;
        let sql: Vec<String> =
            tables.iter().map(|table| format!("alter table only {table} owner to {owner}")).collect();
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

    /// The same for the tables of a pool, which are others' too: its owner looks, and locks nobody out.
    pub(super) async fn check_pool_at_rest(&mut self) -> Result<(), FileError> {
        let Some(pool) = &self.pool else { return Ok(()) };
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

    /// Nothing of anybody else's was written to. A trigger on such a table could have put work off, which before PostgreSQL 18
    /// would run at COMMIT, as the provisioner; and only the locks tell of it, as the text of a file can hide everything.
    pub(super) async fn check_writes(&mut self) -> Result<()> {
        let home = self.pool.as_ref().unwrap_or(&self.placement);
        let foreign: Vec<String> = sqlx::query_scalar(
            "select distinct format('%I.%I', n.nspname, c.relname)
             from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
             where l.pid = pg_backend_pid() and l.locktype = 'relation'
               and l.database = (select oid from pg_database where datname = current_database())
               and l.mode not in ('AccessShareLock', 'RowShareLock') and c.relkind in ('r', 'p', 'f')
               and n.nspname not in ('pg_catalog', 'pg_toast')
               and c.relowner <> all (array[to_regrole($1)::oid, to_regrole($2)::oid, to_regrole(current_user)::oid])
             limit 5",
        )
        .persistent(false)
        .bind(self.placement.as_str())
        .bind(home.as_str())
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("look for writes outside of the tenant"))?;
        if foreign.is_empty() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "a file writes to what belongs to somebody else ({}): a build writes to its own tables alone",
            foreign.join(", ")
        )))
    }
}
