//! Transactions that somebody prepared and then left. They outlive their session, and even their role's login, with every lock
//! and row that they hold. Only servers whose `max_prepared_transactions` is above 0 have any.
//!
//! Invariant: to roll a transaction back, the daemon joins the role that owns it, as the server
//! requires, and then leaves the role.

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::plan::Finding;

use super::{Ready, Target};
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;

/// A prepared transaction.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub owner: String,
    database: String,
    /// The statement that rolls it back.
    undo: String,
}

impl From<(String, String, String)> for Prepared {
    fn from((owner, database, undo): (String, String, String)) -> Self {
        Self { owner, database, undo }
    }
}

/// The prepared transactions of `roles`, in any database.
pub async fn of_roles(connection: &mut PgConnection, roles: &[String]) -> Result<Vec<Prepared>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select owner::text, database::text, format('rollback prepared %L', gid) as undo
         from pg_prepared_xacts where owner = any($1) order by prepared",
    )
    .bind(roles)
    .fetch_all(connection)
    .await
    .map_err(doing("look for prepared transactions"))?;
    Ok(found.into_iter().map(Prepared::from).collect())
}

/// The prepared transactions that a server process waits for. They belong to tenants, or to roles that tenants share.
pub async fn blocking(connection: &mut PgConnection, backend: i32) -> Result<Vec<Prepared>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select distinct x.owner::text, x.database::text, format('rollback prepared %L', x.gid) as undo
         from pg_prepared_xacts x
         -- Its locks are found by the one on itself.
         join pg_locks i on i.locktype = 'transactionid' and i.transactionid = x.transaction and i.pid is null
         join pg_locks l on l.virtualtransaction = i.virtualtransaction and l.pid is null and l.granted
         join pg_locks w on w.pid = $1 and not w.granted and w.locktype = l.locktype
              and (w.database, w.relation, w.page, w.tuple, w.transactionid, w.classid, w.objid, w.objsubid)
                  is not distinct from
                  (l.database, l.relation, l.page, l.tuple, l.transactionid, l.classid, l.objid, l.objsubid)
         where x.owner ~ '^t_[a-z2-7]{13}(_[a-z]+)?$' or x.owner = (select group_role from tenantry.target_identity)",
    )
    .bind(backend)
    .fetch_all(connection)
    .await
    .map_err(doing("look for prepared transactions that keep a removal waiting"))?;
    Ok(found.into_iter().map(Prepared::from).collect())
}

/// Rolls them back. This runs nobody's code. A transaction that is gone by now, or that its owner is about to end, is skipped.
pub async fn roll_back(target: &Target, ready: &Ready, prepared: &[Prepared]) -> Result<()> {
    /// undefined_object, object_not_in_prerequisite_state
    const ENDED: [&str; 2] = ["42704", "55000"];
    for one in prepared {
        let mut there = target.connect_to(&one.database).await?;
        let undone = roll_back_one(target, ready, one, &mut there).await;
        there.close().await.ok();
        match undone {
            Err(error) if error.server().is_some_and(|server| server.is_any(&ENDED)) => {}
            undone => undone?,
        }
    }
    Ok(())
}

async fn roll_back_one(
    target: &Target,
    ready: &Ready,
    one: &Prepared,
    there: &mut PgConnection,
) -> Result<()> {
    let mut connection = target.acquire().await?;
    // The statement cannot run in a transaction, so the membership is committed while it runs.
    execute(&mut connection, ready.join(&one.owner), "join a role").await?;
    let become_owner = format!("set role {}", identifier(&one.owner));
    let undone = async {
        execute(there, become_owner, "become the owner of a prepared transaction").await?;
        execute(there, one.undo.clone(), "roll a prepared transaction back").await
    }
    .await;
    execute(&mut connection, ready.leave(&one.owner), "leave a role").await?;
    undone
}

/// Whether any role can leave prepared transactions behind.
pub(in crate::postgres) async fn look(connection: &mut PgConnection) -> Result<Finding> {
    let (most, left): (i32, i64) = sqlx::query_as(
        "select current_setting('max_prepared_transactions')::int, count(*)
         from pg_prepared_xacts where owner ~ '^t_[a-z2-7]{13}(_|$)'",
    )
    .fetch_one(connection)
    .await
    .map_err(doing("look at prepared transactions"))?;
    if most == 0 {
        return Ok(Finding::ok(
            "prepared_transactions",
            "nobody can leave a prepared transaction behind".to_owned(),
        ));
    }
    Ok(Finding::warning(
        "prepared_transactions",
        format!(
            "every tenant can leave prepared transactions, which hold their locks and keep the server from cleaning up until they \
             end (now: {left} of tenants, {most} at most); unless you need them, an administrator runs: alter system set \
             max_prepared_transactions = 0, and restarts the server"
        ),
    ))
}
