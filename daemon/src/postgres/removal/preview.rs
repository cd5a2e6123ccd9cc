//! What a removal would take: the tables, rows, size, roles and sessions of a placement, read from its target.
//!
//! Invariants: everything that is written for counting is rolled back, and no expression of the tenant is evaluated where
//! RESET ROLE reaches the provisioner. Counting needs SELECT, which only the owner has. Even a bare `count(*)` makes the
//! planner evaluate the constant parts of index expressions, which are the tenant's functions. So the count runs as a
//! migration does, inside a SECURITY DEFINER function of the owner, in a transaction that is read-only by then. If that fails
//! or takes too long, the server's statistics are used.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::tenant::RowCount;

use tokio::time::timeout;

use crate::postgres::error::{Result, doing, doing_for_a_tenant};
use crate::postgres::quote::{Value, render};
use crate::postgres::target::location::Site;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::database::databases;
use crate::postgres::tenancy::shared::{pools, tenant_rows};
use crate::postgres::tenant_ddl;

/// Nobody with an open dialog waits longer than this for a number, and the estimate is available at once.
const LIMITS: &str = "set local statement_timeout = '1s'; set local lock_timeout = '100ms'";

/// The limit for the whole count. It is longer than the server's own limit for one statement.
const PATIENCE: Duration = Duration::from_secs(3);

/// Counts only ordinary tables and partitions, because the rows of a view or a foreign table are not lost with the tenant.
/// Policies do not apply to the owner, or end the count with an error if they are forced.
const COUNTER: &str = "\
grant {placement} to {provisioner};
set local role {placement};
drop function if exists {placement}.tenantry_count();
create function {placement}.tenantry_count() returns bigint language plpgsql security definer
    set search_path = {placement}, tenantry_ext, pg_temp set row_security = off as
$tenantry$
declare
    counted record;
    rows bigint;
    total bigint := 0;
begin
    for counted in select relnamespace::regnamespace::text as schema, relname from pg_class
                   where relnamespace = '{placement}'::regnamespace and relkind = 'r' loop
        execute format('select count(*) from only %s.%I', counted.schema, counted.relname) into rows;
        total := total + rows;
    end loop;
    return total;
end
$tenantry$;
reset role;
set local transaction_read_only = on;
";

/// What the placement has on its target.
#[derive(Debug)]
pub struct Inventory {
    pub tables: u64,
    pub rows: RowCount,
    /// Absent if a lock was not free.
    pub size_bytes: Option<u64>,
    pub roles: Vec<String>,
    pub sessions: u64,
    /// The pool whose tables contain the rows. Those tables stay, and none of them is counted.
    pub pool: Option<PlacementName>,
}

pub async fn look(site: Site<'_>, ready: &Ready, placement: &PlacementName) -> Result<Inventory> {
    let (roles, sessions) = roles(site.target, placement).await?;
    if site.is_own_database() && !databases::is_open(site.target, placement).await? {
        let rows = RowCount::Exact { rows: 0 };
        return Ok(Inventory { tables: 0, rows, size_bytes: Some(0), roles, sessions, pool: None });
    }
    let pool = pools::of_placement(site.target, placement).await?;
    let mut connection = site.acquire().await?;
    // If there is no better number, this is the number for all tenants of the pool.
    let (mut tables, estimate) = tables(&mut connection, pool.as_ref().unwrap_or(placement)).await?;
    if pool.is_some() {
        tables = 0;
    }
    let size_bytes = match pool {
        Some(_) => None,
        None => unless_refused(size(&mut connection, placement).await, "measure")?,
    };
    let counting = count(&mut connection, ready, placement, pool.as_ref());
    let counted = match timeout(PATIENCE, counting).await {
        Ok(counted) => unless_refused(counted, "count")?,
        Err(_) => {
            // The tenant's code catches its own cancellation. The server ends it for good once its client is gone.
            drop(connection.detach());
            None
        }
    };
    let rows = match counted {
        Some(rows) => RowCount::Exact { rows },
        None => RowCount::Estimated { rows: estimate },
    };
    Ok(Inventory { tables, rows, size_bytes, roles, sessions, pool })
}

/// The existing roles, and the number of their sessions.
async fn roles(target: &Target, placement: &PlacementName) -> Result<(Vec<String>, u64)> {
    let mut connection = target.acquire().await?;
    let roles: Vec<String> =
        sqlx::query_scalar("select rolname::text from pg_roles where rolname = any($1) order by rolname")
            .bind(tenant_ddl::all_roles(placement))
            .fetch_all(&mut *connection)
            .await
            .map_err(doing("look for the tenant's roles"))?;
    let sessions: i64 = sqlx::query_scalar("select count(*) from pg_stat_activity where usename = any($1)")
        .bind(&roles)
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("count the tenant's sessions"))?;
    Ok((roles, sessions.unsigned_abs()))
}

/// The number of tables, and the server's estimate of their rows. Both kinds of statistics can lag behind, and one is lost in
/// a crash. The larger number is used, because it warns sooner.
async fn tables(connection: &mut PgConnection, placement: &PlacementName) -> Result<(u64, u64)> {
    let (tables, rows): (i64, f64) = sqlx::query_as(
        "select count(*) filter (where c.relkind in ('r', 'p') and not c.relispartition),
                coalesce(sum(greatest(c.reltuples::double precision, pg_stat_get_live_tuples(c.oid), 0))
                         filter (where c.relkind = 'r'), 0)::double precision
         from pg_namespace n join pg_class c on c.relnamespace = n.oid where n.nspname = $1",
    )
    .bind(placement.as_str())
    .fetch_one(connection)
    .await
    .map_err(doing("look for the tenant's tables"))?;
    Ok((tables.unsigned_abs(), rows as u64))
}

async fn size(connection: &mut PgConnection, placement: &PlacementName) -> Result<i64> {
    let mut tx = connection.begin().await.map_err(doing("begin to measure the tenant"))?;
    sqlx::raw_sql(LIMITS).execute(&mut *tx).await.map_err(doing("limit the measuring of the tenant"))?;
    let bytes = sqlx::query_scalar(
        "select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
         from pg_namespace n join pg_class c on c.relnamespace = n.oid
         where n.nspname = $1 and c.relkind in ('r', 'm', 'S')",
    )
    .bind(placement.as_str())
    .fetch_one(&mut *tx)
    .await
    .map_err(doing("measure the tenant"));
    tx.rollback().await.map_err(doing("end the measuring of the tenant"))?;
    bytes
}

async fn count(
    connection: &mut PgConnection,
    ready: &Ready,
    placement: &PlacementName,
    pool: Option<&PlacementName>,
) -> Result<i64> {
    let values =
        [("placement", Value::Placement(placement)), ("provisioner", Value::Identifier(&ready.provisioner))];
    let mut tx = connection.begin().await.map_err(doing("begin to count the tenant's rows"))?;
    sqlx::raw_sql(LIMITS).execute(&mut *tx).await.map_err(doing("limit the counting of rows"))?;
    if let Some(pool) = pool {
        let rows = tenant_rows::count(&mut tx, ready, placement, pool).await;
        tx.rollback().await.map_err(doing("end the counting of rows"))?;
        return rows;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(render(COUNTER, &values)))
        .execute(&mut *tx)
        .await
        .map_err(doing("prepare to count the tenant's rows"))?;
    let counter = render("select {placement}.tenantry_count()", &values);
    let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(counter))
        .fetch_one(&mut *tx)
        .await
        .map_err(doing_for_a_tenant("count the tenant's rows"));
    tx.rollback().await.map_err(doing("end the counting of rows"))?;
    rows
}

/// If the server answers with an error, the number is unknown. If the server is gone, that is an error.
fn unless_refused(result: Result<i64>, what: &'static str) -> Result<Option<u64>> {
    match result {
        Ok(value) => Ok(Some(value.unsigned_abs())),
        Err(error) if error.is_unreachable() => Err(error),
        Err(error) => {
            tracing::debug!(error = %error.explain(), what, "a rollback's effects are told without this");
            Ok(None)
        }
    }
}
