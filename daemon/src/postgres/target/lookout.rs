//! Looks at the locks that a session holds, from another connection, and ends a session that holds too many.
//!
//! The session itself is not asked anything. Looks have their own connection, so that they do not wait for a place in the pool
//! behind the very builds that they look at.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::postgres::connections::kept;
use crate::postgres::error::{Result, doing};

/// A session in a transaction.
#[derive(Debug, Clone)]
pub struct BuildSession {
    /// The server process of the session.
    pub(in crate::postgres) backend: i32,
    /// The transaction's id.
    pub(in crate::postgres) xid: String,
}

impl BuildSession {
    /// The server process of the session.
    pub const fn backend(&self) -> i32 {
        self.backend
    }
}

/// The source of looks: a separate connection that is kept open, even if all others are taken.
#[derive(Debug)]
pub struct Lookout(PgPool);

/// One connection, and room for another to replace it.
const CONNECTIONS: u32 = 2;
/// A look that takes longer says nothing about the present.
const PATIENCE: Duration = Duration::from_secs(1);

impl Lookout {
    /// Connects when a look is first needed.
    pub(super) fn new(connection: PgConnectOptions) -> Self {
        Self(kept::options(CONNECTIONS).acquire_timeout(PATIENCE).connect_lazy_with(connection))
    }

    pub(in crate::postgres) async fn acquire(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        kept::acquire(&self.0).await
    }

    /// Keeps the connection open from now on.
    pub(super) fn keep_open(&self) {
        tokio::spawn(kept::keep(&self.0, 1));
    }

    /// How many locks the session holds.
    pub async fn locks(&self, session: &BuildSession) -> Result<u32> {
        let count = async {
            sqlx::query_scalar("select count(*) from pg_locks where pid = $1")
                .persistent(false)
                .bind(session.backend)
                .fetch_one(&mut *self.acquire().await?)
                .await
        };
        let held: i64 = match tokio::time::timeout(PATIENCE, count).await {
            Ok(held) => held.map_err(doing("count the build's locks"))?,
            Err(_) => return Err(doing("count the build's locks")(sqlx::Error::PoolTimedOut)),
        };
        Ok(u32::try_from(held).unwrap_or(u32::MAX))
    }

    /// Ends the session if it is still in that transaction. A cancel would not do, because a migration could catch it and go
    /// on.
    pub async fn end(&self, session: &BuildSession) -> Result<()> {
        let mut connection = self.acquire().await.map_err(doing("end the build's session"))?;
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_xid::text = $2",
        )
        .persistent(false)
        .bind(session.backend)
        .bind(&session.xid)
        .execute(&mut *connection)
        .await
        .map(|_| ())
        .map_err(doing("end the build's session"))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
