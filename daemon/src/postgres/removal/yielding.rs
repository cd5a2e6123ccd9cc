//! Others who keep a removal waiting. Any tenant can grant something to the roles of a leaving tenant, or refer to its
//! objects, and then leave the transaction open or prepare it.
//!
//! Invariants: only sessions and prepared transactions of tenants are ended, and only if a removal waits for them, or if they
//! granted its roles something and overtook it. The daemon's own operations are waited for.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::target::prepared_transactions;
use crate::postgres::target::{Ready, Target};

/// How long others are waited for before they have to yield, and how often to look for more of them.
const COURTESY: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Does some work in the server process `backend`, and ends the sessions and transactions of other tenants that it waits for.
pub(super) async fn while_others_yield<T>(
    target: &Target,
    ready: &Ready,
    backend: i32,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    // Boxed: a future that is pinned in place would be stored twice.
    let mut work = Box::pin(work);
    let mut patience = COURTESY;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(patience) => patience = LOOK_EVERY,
        }
        match end_blockers(target, ready, backend).await {
            Ok(ended) => tell(&ended),
            // The wait has its own time limit.
            Err(error) => {
                tracing::warn!(error = %error.explain(), "the sessions that keep a removal waiting could not be ended");
            }
        }
    }
}

/// Ends the sessions of `tenants`, placements whose logins granted a leaving tenant something and were faster than its
/// removal.
pub(super) async fn end_givers(target: &Target, ready: &Ready, tenants: &[String]) -> Result<()> {
    let mut connection = target.acquire().await?;
    let busy: Vec<(i32, String)> = sqlx::query_as(
        "select pid, usename::text from pg_stat_activity
         where left(usename, 15) = any($1) and usename ~ '^t_[a-z2-7]{13}_[ab]$' and xact_start is not null",
    )
    .bind(tenants)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for who gives the tenant's roles something"))?;
    tell(&end(&mut connection, ready, busy).await?);
    Ok(())
}

async fn end_blockers(target: &Target, ready: &Ready, backend: i32) -> Result<Vec<String>> {
    let mut connection = target.acquire().await?;
    let sessions: Vec<(i32, String)> = sqlx::query_as(
        "select distinct a.pid, a.usename::text
         from unnest(pg_blocking_pids($1)) as b (pid) join pg_stat_activity a on a.pid = b.pid
         where a.usename ~ '^t_[a-z2-7]{13}(_[a-z]+)?$'
           and exists (select from tenantry.placement p where p.placement = left(a.usename, 15))",
    )
    .bind(backend)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for who keeps a removal waiting"))?;
    let mut ended = end(&mut connection, ready, sessions).await?;
    let prepared = prepared_transactions::blocking(&mut connection, backend).await?;
    drop(connection);
    prepared_transactions::roll_back(target, ready, &prepared).await?;
    ended.extend(prepared.into_iter().map(|one| one.owner));
    Ok(ended)
}

async fn end(
    connection: &mut PgConnection,
    ready: &Ready,
    sessions: Vec<(i32, String)>,
) -> Result<Vec<String>> {
    let mut ended = Vec::new();
    for (pid, role) in sessions {
        let mut tx = connection.begin().await.map_err(doing("begin to end a session"))?;
        // The drop in progress may have joined the same role, in a transaction that waits.
        execute(&mut tx, "set local lock_timeout = '100ms'".to_owned(), "bound a wait").await?;
        // Without the membership the server refuses to end another role's session.
        execute(&mut tx, ready.join(&role), "join a login role").await?;
        sqlx::query("select pg_terminate_backend($1)")
            .bind(pid)
            .execute(&mut *tx)
            .await
            .map_err(doing("end a session that keeps a removal waiting"))?;
        execute(&mut tx, ready.leave(&role), "leave a login role").await?;
        tx.commit().await.map_err(doing("commit the end of a session"))?;
        ended.push(role);
    }
    Ok(ended)
}

fn tell(ended: &[String]) {
    if !ended.is_empty() {
        tracing::warn!(
            logins = ended.join(", "),
            "ended sessions and prepared transactions of other tenants that kept a removal waiting"
        );
    }
}
