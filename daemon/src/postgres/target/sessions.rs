//! Ending the sessions of login roles. A session survives NOLOGIN, a new password, and even DROP ROLE.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use super::Ready;
use super::marker::{self, Mark};
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};

/// How long ended sessions may take to disappear.
const TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Ends all sessions of `roles`, which must be closed already, and waits until they are gone. Returns their number.
pub async fn end(connection: &mut PgConnection, ready: &Ready, mark: Mark, roles: &[String]) -> Result<u64> {
    let mut tx = connection.begin().await.map_err(doing("begin to end the sessions"))?;
    marker::hold(&mut tx, mark).await?;
    // Without the membership the server refuses to end another role's session.
    for role in roles {
        execute(&mut tx, ready.join(role), "join a login role").await?;
    }
    let ended: i64 = sqlx::query_scalar(
        "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity where usename = any($1)) as ended",
    )
    .bind(roles)
    .fetch_one(&mut *tx)
    .await
    .map_err(doing("end the tenant's sessions"))?;
    for role in roles {
        execute(&mut tx, ready.leave(role), "leave a login role").await?;
    }
    tx.commit().await.map_err(doing("commit the end of the sessions"))?;
    if are_gone(connection, roles, TIMEOUT).await? {
        return Ok(ended.unsigned_abs());
    }
    Err(Error::Lingering(format!("sessions of {} do not end", roles.join(", "))))
}

/// Waits until the roles have no session. Returns false if this takes longer than `patience`.
pub async fn are_gone(connection: &mut PgConnection, roles: &[String], patience: Duration) -> Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        let left: i64 = sqlx::query_scalar("select count(*) from pg_stat_activity where usename = any($1)")
            .bind(roles)
            .fetch_one(&mut *connection)
            .await
            .map_err(doing("count the tenant's sessions"))?;
        if left == 0 {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
