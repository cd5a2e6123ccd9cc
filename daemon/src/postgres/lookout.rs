//! A look, from beside, at the locks that a session holds, and the end of one that holds too many.
//!
//! The session itself is asked nothing. Looks have a connection of their own, so that none waits for a place in the pool
//! behind the very builds that it is to look at.

use sqlx::PgConnection;

use super::error::{Result, doing};
use super::target::Target;

/// A session in a transaction.
#[derive(Debug, Clone)]
pub struct Session {
    /// The server's process for it.
    pub(super) backend: i32,
    /// The transaction's id.
    pub(super) xid: String,
}

/// A connection to look from.
#[derive(Debug)]
pub struct Lookout(PgConnection);

impl Lookout {
    pub async fn open(target: &Target) -> Result<Self> {
        Ok(Self(target.connect_to(target.database()).await?))
    }

    /// How many locks the session holds.
    pub async fn locks(&mut self, session: &Session) -> Result<u32> {
        let held: i64 = sqlx::query_scalar("select count(*) from pg_locks where pid = $1")
            .persistent(false)
            .bind(session.backend)
            .fetch_one(&mut self.0)
            .await
            .map_err(doing("count the build's locks"))?;
        Ok(u32::try_from(held).unwrap_or(u32::MAX))
    }

    /// Ends the session, if it is still in that transaction. A migration could catch a cancel, and go on.
    pub async fn end(&mut self, session: &Session) -> Result<()> {
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_xid::text = $2",
        )
        .persistent(false)
        .bind(session.backend)
        .bind(&session.xid)
        .execute(&mut self.0)
        .await
        .map(|_| ())
        .map_err(doing("end the build's session"))
    }
}
