//! A tenant's rows in a pool, which are counted, and removed in batches, as the tenant itself.
//!
//! Invariants: the policies tell every session that acts for the tenant which rows are the tenant's. Forced row security hides
//! rows from the owner of their tables too, so nobody else could remove them. Rows are removed in a login of the tenant
//! itself, so that what the blueprint's triggers leave behind, for COMMIT or for the session, finds no other role there.
//! Nothing that belongs to the pool itself is changed.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;
use tokio::time::Instant;

use super::pools;
use crate::postgres::build::owner_login::{self, OwnerSession, Purpose};
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing, doing_for_a_tenant};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};
use crate::postgres::target::marker::{self, Mark, MarkerState};
use crate::postgres::target::{Ready, Target};

/// Rows of each table that are removed in one transaction. It is short enough for others to write at the same time.
const ROWS_A_BATCH: u64 = 5_000;
/// Rounds that may pass without a new minimum of rows. A table that keeps what is deleted from another one takes one round.
const IDLE_ROUNDS: u32 = 10;
/// At most this many rows are counted in a table, because counting all of them could take longer than a statement may.
const MOST_COUNTED: u64 = 1_000_000;
/// How long to wait for a transaction that may still write for the tenant.
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
    /// Waits for writers that could act as the tenant before its roles were closed. A session with its own login can have
    /// become the tenant by SET ROLE, and it does not belong to the tenant, so it cannot be ended.
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

    /// Removes all of the tenant's rows, no matter how often this was begun before. Returns how many were removed now.
    pub async fn remove(&self) -> Result<u64> {
        self.let_rows_go().await?;
        let Self { target, ready, mark, placement, pool } = *self;
        let purpose = Purpose::Leaving(pool);
        let mut session = owner_login::open(target.site(), ready, mark, placement, purpose).await?;
        let removed = self.remove_in(&mut session).await;
        // Closed while the session is still there, so that nobody else can log in in its place. If an error leaves the login
        // open, it is closed before it is opened again.
        let closed = owner_login::close(target.site(), ready, mark, placement).await;
        session.end().await;
        let removed = removed?;
        closed?;
        self.confirm_gone().await?;
        Ok(removed)
    }

    /// Counts again once nobody can act as the tenant any longer, where no setting of a login decides whose rows they are.
    async fn confirm_gone(&self) -> Result<()> {
        let mut connection = self.target.acquire().await?;
        let mut tx = connection.begin().await.map_err(doing("begin to count the tenant's rows"))?;
        let left = count(&mut tx, self.ready, self.placement, self.pool).await;
        tx.rollback().await.map_err(doing("end the counting of the tenant's rows"))?;
        match left? {
            0 => Ok(()),
            left => Err(Error::Lingering(format!(
                "{left} rows of the tenant were written while its last session ended: try again"
            ))),
        }
    }

    /// From here on the removal cannot be undone, and the blueprint's triggers are told so.
    async fn let_rows_go(&self) -> Result<()> {
        let mut connection = self.target.acquire().await?;
        let mut tx = connection.begin().await.map_err(doing("begin to remove the tenant's rows"))?;
        let state = marker::hold(&mut tx, self.mark).await?;
        if !state.is_going() {
            marker::set_state(&mut tx, self.mark.build, MarkerState::Removing).await?;
        }
        sqlx::query(
            "update tenantry.pool_member set is_leaving = true where placement = $1 and not is_leaving",
        )
        .bind(self.placement.as_str())
        .execute(&mut *tx)
        .await
        .map_err(doing("let the tenant's rows go"))?;
        tx.commit().await.map_err(doing("commit that the tenant's rows go"))
    }

    async fn remove_in(&self, session: &mut OwnerSession) -> Result<u64> {
        let mut connection = self.target.acquire().await?;
        let tables = self.tables(&mut connection).await?;
        let mut progress = RemovalRounds::default();
        loop {
            clean_up(session.connection()).await?;
            // In a separate transaction, because triggers that were deferred until COMMIT can have left rows, too.
            if !progress.goes_on(&rows_left(session.connection(), &tables).await?)? {
                return Ok(progress.removed);
            }
            let mut round = 0;
            while round < progress.round() {
                // Held while a batch is removed, so that a daemon that was replaced removes nothing more.
                let mut held = connection.begin().await.map_err(doing("begin to hold the marker"))?;
                marker::hold(&mut held, self.mark).await?;
                let gone = remove_some(session.connection(), &tables).await?;
                held.commit().await.map_err(doing("commit the hold of the marker"))?;
                round += gone;
                if gone == 0 {
                    break;
                }
            }
            progress.removed += round;
        }
    }

    /// The pool's tables that have rows of their own, as written in a statement. Tables that refer to others come first.
    async fn tables(&self, connection: &mut PgConnection) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "with recursive home (oid) as (select to_regnamespace($1)::oid),
             reference as (
                select distinct conrelid, confrelid from pg_constraint, home
                where contype = 'f' and connamespace = home.oid and conrelid <> confrelid),
             depth (oid, above) as (
                select c.oid, 0 from pg_class c, home where c.relnamespace = home.oid and c.relkind in ('r', 'p')
                union select r.confrelid, d.above + 1 from depth d join reference r on r.conrelid = d.oid where d.above < 40)
             select format('%I.%I', $1, c.relname) from depth d join pg_class c on c.oid = d.oid
             where c.relkind = 'r' group by c.oid, c.relname order by max(d.above), c.oid",
        )
        .bind(self.pool.as_str())
        .fetch_all(connection)
        .await
        .map_err(doing("list the shared tables"))
    }
}

/// How the removal proceeds from round to round. A round deletes as many rows as there were at its beginning, and the
/// next one deletes twice as many if that made no progress. Triggers may write rows meanwhile, and the next rounds
/// delete those, but not without end.
#[derive(Debug, Default)]
struct RemovalRounds {
    removed: u64,
    /// Rows at the beginning of this round.
    left: u64,
    /// The smallest number of rows so far, and the number of rounds since then.
    fewest: Option<u64>,
    idle: u32,
}

impl RemovalRounds {
    /// Whether rows are left. It is an error if their number does not fall.
    fn goes_on(&mut self, left: &[(String, u64)]) -> Result<bool> {
        self.left = left.iter().map(|(_, rows)| rows).sum();
        if self.left == 0 {
            return Ok(false);
        }
        // At least a quarter less. If triggers write back all rows but one, there would be as many rounds as there are rows.
        if self.fewest.is_none_or(|fewest| self.left < fewest - fewest / 4) {
            (self.fewest, self.idle) = (Some(self.left), 0);
            return Ok(true);
        }
        self.idle += 1;
        if self.idle < IDLE_ROUNDS {
            return Ok(true);
        }
        Err(Error::Refused(format!(
            "the blueprint's triggers write as many rows of the tenant as are deleted ({}): they let that be where \
             tenantry_removing() is true",
            told(left)
        )))
    }

    /// How many rows are deleted before they are counted again.
    const fn round(&self) -> u64 {
        self.left << self.idle
    }
}

/// Names the tables that still have rows, with the number of rows.
fn told(left: &[(String, u64)]) -> String {
    left.iter().map(|(table, rows)| format!("{table}: {rows}")).collect::<Vec<_>>().join(", ")
}

/// Removes rows in a transaction of the tenant, at most [`ROWS_A_BATCH`] of each table. If none can be removed
/// because they refer to each other in a circle, all are removed in one statement. Returns how many were removed.
/// It is an error if none can be.
async fn remove_some(session: &mut PgConnection, tables: &[String]) -> Result<u64> {
    clean_up(session).await?;
    let mut tx = session.begin().await.map_err(doing("begin a batch of the tenant's rows"))?;
    // A reference that is checked late would fail the whole batch at its end.
    execute(&mut tx, "set constraints all immediate".to_owned(), "check the references at once").await?;
    let mut gone = 0;
    for table in tables {
        let of_table = remove_some_of(&mut tx, table).await?;
        gone += of_table;
        if of_table == ROWS_A_BATCH {
            break;
        }
    }
    if gone == 0 {
        let left = rows_left(&mut tx, tables).await?;
        if !left.is_empty() {
            gone = remove_at_once(&mut tx, tables).await?;
        }
        if gone == 0 && !left.is_empty() {
            return Err(Error::Refused(format!(
                "the blueprint keeps rows of the tenant from being deleted ({}): its triggers let them go where \
                 tenantry_removing() is true",
                told(&left)
            )));
        }
    }
    // What a trigger has deferred runs here, as the tenant.
    tx.commit().await.map_err(doing_for_a_tenant("commit the removal of rows"))?;
    Ok(gone)
}

/// Discards what triggers left in the session, so that it does not affect what comes next.
async fn clean_up(session: &mut PgConnection) -> Result<()> {
    execute(session, "discard all".to_owned(), "clean the session up").await
}

/// Removes no rows if other rows still refer to them.
async fn remove_some_of(tx: &mut PgConnection, table: &str) -> Result<u64> {
    const STILL_REFERRED_TO: [&str; 2] = ["23503", "23001"];
    let sql = format!(
        "savepoint batch;
         delete from only {table} where ctid = any (array(select ctid from only {table} limit {ROWS_A_BATCH}));
         release savepoint batch"
    );
    let removed = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await;
    match removed.map_err(doing_for_a_tenant("remove the tenant's rows")) {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) if error.server().is_some_and(|server| server.is_any(&STILL_REFERRED_TO)) => {
            execute(tx, "rollback to savepoint batch".to_owned(), "leave rows that others refer to").await?;
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

/// The tables that still have rows, with the number of rows, at most [`MOST_COUNTED`].
async fn rows_left(session: &mut PgConnection, tables: &[String]) -> Result<Vec<(String, u64)>> {
    let mut left = Vec::new();
    for table in tables {
        let count = format!(
            "select pg_catalog.count(*) from (select from only {table} limit {MOST_COUNTED}) counted"
        );
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .persistent(false)
            .fetch_one(&mut *session)
            .await
            .map_err(doing_for_a_tenant("count what is left of the tenant's rows"))?;
        if rows > 0 {
            left.push((table.clone(), rows.unsigned_abs()));
        }
    }
    Ok(left)
}

async fn remove_at_once(tx: &mut PgConnection, tables: &[String]) -> Result<u64> {
    let each = tables.iter().enumerate().map(|(number, table)| {
        format!("d{number} as (delete from only {table} returning 1), n{number} as (select pg_catalog.count(*) as n from d{number})")
    });
    let sum =
        (0..tables.len()).map(|number| format!("(select n from n{number})")).collect::<Vec<_>>().join(" + ");
    let sql = format!("with {} select ({sum})::bigint", each.collect::<Vec<_>>().join(", "));
    let gone: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .persistent(false)
        .fetch_one(tx)
        .await
        .map_err(doing_for_a_tenant("remove the tenant's rows"))?;
    Ok(gone.unsigned_abs())
}

/// Counts the tenant's rows within a transaction that the caller rolls back.
pub(in crate::postgres) async fn count(
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
