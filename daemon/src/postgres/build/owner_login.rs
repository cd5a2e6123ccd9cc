//! A real login as a tenant's owner. It is for statements that cannot run in a transaction, and thus in no function either,
//! and for removing the tenant's rows from a pool, where triggers of the blueprint run.
//!
//! Invariants: the session's user is the owner, so that there is no other role to return to. The login is open only while a
//! file or a removal needs it, with a secret that is not stored anywhere. Closing the login ends all of its sessions.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use super::outside_journal;
use crate::postgres::connections::DURABLE;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing, doing_for_a_tenant};
use crate::postgres::quote::{Value, identifier, render};
use crate::postgres::secret::Password;
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{Mark, Use};
use crate::postgres::target::{marker, sessions};
use crate::postgres::tenant_ddl;

/// A session as a tenant's owner.
#[derive(Debug)]
pub struct OwnerSession {
    connection: PgConnection,
    /// The server process of the session.
    pub backend: i32,
}

/// What the owner logs in for.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// To run statements of a file outside of its transaction.
    Outside(Use),
    /// To remove the tenant's rows from this pool.
    Leaving(&'a PlacementName),
}

/// Invalid indexes of a tenant that can be dropped.
#[derive(Debug, Clone, Copy)]
pub enum Invalid<'a> {
    /// The index with this name.
    Named(&'a str),
    /// The indexes that REINDEX CONCURRENTLY made or was to replace.
    OfReindex,
}

/// A session that a statement waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    pub pid: i32,
    pub role: Option<String>,
    pub application: Option<String>,
    /// When its transaction began. The server does not show this to every role.
    pub since: Option<String>,
}

/// Opens the owner's login with a new secret and logs in. An earlier session is ended first.
pub async fn open(
    site: Site<'_>,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
    purpose: Purpose<'_>,
) -> Result<OwnerSession> {
    close(site, ready, mark, placement).await?;
    let password = Password::generate();
    {
        let mut connection = site.acquire().await?;
        let mut tx = connection.begin().await.map_err(doing("begin to open the owner's login"))?;
        match purpose {
            Purpose::Outside(in_use) => outside_journal::hold(&mut tx, site, mark, in_use).await?,
            Purpose::Leaving(_) => marker::hold(&mut tx, mark).await.map(drop)?,
        }
        let verifier = password.brief_verifier();
        let group = site.connecting_role(ready);
        let values = [
            ("placement", Value::Placement(placement)),
            ("group", Value::Identifier(&group)),
            ("verifier", Value::Verifier(&verifier)),
        ];
        execute(&mut tx, render(tenant_ddl::OPEN_OWNER, &values), "open the owner's login").await?;
        let (role, database) = (identifier(placement.as_str()), identifier(site.database()));
        let reset = format!("alter role {role} in database {database} reset all");
        execute(&mut tx, reset, "forget what the owner set for its logins").await?;
        tx.commit().await.map_err(doing("commit the owner's login"))?;
    }
    let (home, lock_timeout, application) = match purpose {
        // The statement may wait as long as the operation lasts; each statement has its own limit.
        Purpose::Outside(_) => (placement, Duration::ZERO, "tenantry-outside"),
        // Others use the tables too, and they queue behind a session that waits for a lock on them.
        Purpose::Leaving(pool) => (pool, site.target.options().lock_timeout, "tenantry-removal"),
    };
    let settings = [
        // These settings override what is set for a login.
        ("role", "none".to_owned()),
        ("default_transaction_read_only", "off".to_owned()),
        ("search_path", format!("{home}, tenantry_ext, pg_temp")),
        ("lock_timeout", format!("{}ms", lock_timeout.as_millis())),
        ("statement_timeout", format!("{}ms", site.target.options().statement_timeout.as_millis())),
        ("idle_in_transaction_session_timeout", "60s".to_owned()),
        ("idle_session_timeout", "0".to_owned()),
        ("client_min_messages", "warning".to_owned()),
        ("client_connection_check_interval", "1s".to_owned()),
        // A statement that is told as done must outlast the server.
        (DURABLE.0, DURABLE.1.to_owned()),
    ];
    let mut connection = site.login_with(placement.as_str(), &password, application, settings).await?;
    let backend = sqlx::query_scalar("select pg_catalog.pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .map_err(doing("identify the owner's session"))?;
    Ok(OwnerSession { connection, backend })
}

/// Closes the owner's login, forgets its secret and ends its sessions. Does nothing if there is nothing to close.
pub async fn close(site: Site<'_>, ready: &Ready, mark: Mark, placement: &PlacementName) -> Result<()> {
    let mut connection = site.acquire().await?;
    let is_open: Option<bool> = sqlx::query_scalar("select rolcanlogin from pg_roles where rolname = $1")
        .bind(placement.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("look at the owner's login"))?;
    if is_open == Some(true) {
        let mut tx = connection.begin().await.map_err(doing("begin to close the owner's login"))?;
        marker::hold(&mut tx, mark).await?;
        let group = site.connecting_role(ready);
        let values = [("placement", Value::Placement(placement)), ("group", Value::Identifier(&group))];
        execute(&mut tx, render(tenant_ddl::CLOSE_OWNER, &values), "close the owner's login").await?;
        tx.commit().await.map_err(doing("commit the closing of the owner's login"))?;
    }
    if has_session(&mut connection, placement).await? {
        sessions::end(&mut connection, ready, mark, &[placement.to_string()]).await?;
    }
    Ok(())
}

/// Whether the owner is logged in. This happens only while a file runs outside the transaction.
pub(in crate::postgres) async fn has_session(
    connection: &mut PgConnection,
    placement: &PlacementName,
) -> Result<bool> {
    sqlx::query_scalar("select exists (select from pg_stat_activity where usename = $1)")
        .bind(placement.as_str())
        .fetch_one(connection)
        .await
        .map_err(doing("look for the owner's session"))
}

/// The session that the server process waits for. If there are several, it is the one with the oldest transaction.
pub async fn blocker(site: Site<'_>, backend: i32) -> Result<Option<Blocker>> {
    let mut connection = site.acquire().await?;
    type Row = (i32, Option<String>, Option<String>, Option<String>);
    let found: Option<Row> = sqlx::query_as(
        "select a.pid, a.usename::text , nullif(a.application_name, ''),
                to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
         from unnest(pg_blocking_pids($1)) as b (pid) join pg_stat_activity a on a.pid = b.pid
         order by a.xact_start nulls last limit 1",
    )
    .bind(backend)
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing("look for what a statement waits for"))?;
    Ok(found.map(|(pid, role, application, since)| Blocker { pid, role, application, since }))
}

impl OwnerSession {
    /// Runs one statement by itself, for at most `limit`.
    pub async fn execute(&mut self, statement: &str, limit: Duration) -> Result<()> {
        self.limit(limit).await?;
        self.alone(statement).await.map(|_| ())
    }

    /// Runs one batch of a statement as a transaction of its own, for at most `limit`, and returns how many rows it changed. It sees
    /// one moment: if somebody has changed one of its rows since, the server refuses it, and it is to be tried again. So a batch
    /// that changes nothing has found nothing.
    pub async fn batch(&mut self, statement: &str, limit: Duration, lock_timeout: Duration) -> Result<u64> {
        self.bound(limit, lock_timeout.max(Duration::from_millis(1)), "repeatable read").await?;
        self.alone(statement).await
    }

    /// In a kind of message in which the server accepts only a single statement, whatever the text contains.
    async fn alone(&mut self, statement: &str) -> Result<u64> {
        let running = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
            .persistent(false)
            .execute(&mut self.connection);
        let done = running.await.map_err(doing_for_a_tenant("run a statement outside the transaction"))?;
        Ok(done.rows_affected())
    }

    /// Drops the half-made indexes that an earlier attempt left. Where the tenant is in use, it reads and writes meanwhile.
    pub async fn drop_invalid(
        &mut self,
        site: Site<'_>,
        placement: &PlacementName,
        (which, in_use): (Invalid<'_>, Use),
        limit: Duration,
    ) -> Result<usize> {
        let found = invalid_indexes(site, placement, which).await?;
        self.limit(limit).await?;
        for (schema, index) in &found {
            let how = if in_use == Use::InUse { "concurrently" } else { "" };
            let sql = format!("drop index {how} if exists {}.{}", identifier(schema), identifier(index));
            execute(&mut self.connection, sql, "drop an index that is not valid").await?;
        }
        Ok(found.len())
    }

    /// The connection, for statements of other modules.
    pub(in crate::postgres) const fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Closes the session. The server may take a moment longer.
    pub async fn end(self) {
        self.connection.close().await.ok();
    }

    /// For a statement that may wait for locks as long as it may last.
    async fn limit(&mut self, limit: Duration) -> Result<()> {
        self.bound(limit, Duration::ZERO, "read committed").await
    }

    /// Each time, since code that an earlier statement ran may have set something else.
    async fn bound(&mut self, limit: Duration, lock_timeout: Duration, isolation: &str) -> Result<()> {
        let (limit, lock_timeout) = (limit.as_millis().max(1), lock_timeout.as_millis());
        let settings = format!(
            "set statement_timeout = {limit}; set lock_timeout = {lock_timeout}; \
             set default_transaction_isolation = '{isolation}'"
        );
        execute(&mut self.connection, settings, "limit a statement").await
    }
}

async fn invalid_indexes(
    site: Site<'_>,
    placement: &PlacementName,
    which: Invalid<'_>,
) -> Result<Vec<(String, String)>> {
    let name = match which {
        Invalid::Named(name) => Some(name),
        Invalid::OfReindex => None,
    };
    let mut connection = site.acquire().await?;
    // The indexes of a TOAST table are in a schema of the server.
    sqlx::query_as(
        "select n.nspname::text, c.relname::text
         from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
         where not i.indisvalid and c.relkind = 'i'
           and c.relowner = (select oid from pg_roles where rolname = $1)
           and case when $2::text is null then c.relname ~ '_cc(new|old)[0-9]*$'
                    else c.relname = $2 and n.nspname = $1 end",
    )
    .bind(placement.as_str())
    .bind(name)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for indexes that are not valid"))
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(role) = &self.role {
            write!(f, " of role {role}")?;
        }
        if let Some(application) = &self.application {
            write!(f, " ({})", application.escape_debug())?;
        }
        match &self.since {
            Some(since) => write!(f, ", whose transaction began at {since}"),
            None => Ok(()),
        }
    }
}
