//! Pools: one set of tables for all tenants of a blueprint version on a target, built once, and the place of a tenant in it.
//!
//! Invariants: a pool is either complete and covered, or it does not exist. Every table has tenant_id in each key
//! and has the daemon's policy; this is read from the catalog and not from the blueprint's text. A tenant's own
//! marker says which pool it is in.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::pool_identity::{self, Identity};
use super::pool_rules::{self, RULES_VERSION, Stage};
use crate::postgres::build::runner::{Build, Deferral};
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};
use crate::postgres::secret::Verifier;
use crate::postgres::target::marker::{self, Mark, MarkerState, Owner};
use crate::postgres::target::settlement;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenant_ddl::LoginLimits;

/// How long to wait for another build of the same pool before checking whether it is still running.
const COURTESY: Duration = Duration::from_millis(500);

/// Whether a tenant's own roles can use its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Door {
    Open,
    Closed,
}

/// The pool that was built for a blueprint, if there is one. An earlier release may have built it by weaker rules, and
/// somebody may have changed it since; see [`uncovered`].
pub async fn named(target: &Target, identity: &Identity) -> Result<Option<PlacementName>> {
    let mut connection = target.acquire().await?;
    let found: Option<String> = sqlx::query_scalar(
        "select placement from tenantry.pool where blueprint = $1 and version = $2 and checksum = $3 and is_open",
    )
    .bind(&identity.blueprint)
    .bind(&identity.version)
    .bind(&identity.checksum)
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing("look for the pool"))?;
    found.map(|name| parse(&name)).transpose()
}

/// Records that a pool was checked against the current rules and keeps them, so that it does not count as an earlier
/// release's.
pub async fn keeps_the_rules(target: &Target, pool: &PlacementName) -> Result<()> {
    let mut connection = target.acquire().await?;
    sqlx::query("update tenantry.pool set rules = $2 where placement = $1 and rules < $2")
        .bind(pool.as_str())
        .bind(RULES_VERSION)
        .execute(&mut *connection)
        .await
        .map(|_| ())
        .map_err(doing("note that the pool keeps its rules"))
}

/// Gives pools that were built by earlier rules the current functions. They have other ones, at first in their own schema,
/// where their owner could have replaced them. This does not depend on whether a pool keeps the rules, because its tenants are
/// verified and removed in any case. A pool that cannot be changed does not delay the others.
pub(in crate::postgres) async fn secure_earlier(
    connection: &mut PgConnection,
    provisioner: &str,
) -> Result<()> {
    let earlier: Vec<String> = sqlx::query_scalar(
        "select placement from tenantry.pool
         where rules < $1 or to_regprocedure(format('tenantry.%I()', placement || '_picture')) is null",
    )
    .bind(RULES_VERSION)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for pools of an earlier release"))?;
    for name in earlier {
        let pool = parse(&name)?;
        match secure(connection, &pool, provisioner).await {
            Ok(()) => {
                tracing::info!(%pool, "a pool that was built to earlier rules has the functions of now")
            }
            Err(error) if error.is_unreachable() => return Err(error),
            // The tenants of this pool are refused everything that needs the functions. The other pools are not affected.
            Err(error) => {
                tracing::warn!(%pool, error = %error.explain(), "a pool of an earlier release could not be secured")
            }
        }
    }
    Ok(())
}

async fn secure(connection: &mut PgConnection, pool: &PlacementName, provisioner: &str) -> Result<()> {
    let values = [("placement", Value::Placement(pool)), ("provisioner", Value::Identifier(provisioner))];
    let sql =
        [pool_ddl::FORGET_FUNCTIONS, pool_ddl::POOL_FUNCTIONS, pool_ddl::CLOSE_POOL, pool_ddl::LEAVE_POOL];
    let mut tx = connection.begin().await.map_err(doing("begin to secure a pool"))?;
    execute(&mut tx, render(&sql.concat(), &values), "secure a pool").await?;
    tx.commit().await.map_err(doing("commit a pool's functions"))
}

/// Begins to build a pool. Waits for another build of the same pool, and returns [`Error::PoolExists`] once that pool exists.
pub async fn begin(
    target: &Target,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
    identity: &Identity,
) -> Result<Build> {
    let mut build = Build::begin(target.site(), ready, mark, placement, Owner::Pool).await?;
    let canary = Uuid::now_v7();
    claim_in_turn(target, &mut build, placement, identity, canary).await?;
    // The owner stands for no tenant. Tenants attack the rows that it writes.
    sqlx::query(
        "insert into tenantry.pool_member (role, placement, pool, tenant_id) values ($1::name, $1, $1, $2)",
    )
    .persistent(false)
    .bind(placement.as_str())
    .bind(canary)
    .execute(&mut *build.connection)
    .await
    .map_err(doing("make the pool's canary"))?;
    marker::set_state(&mut build.connection, mark.build, MarkerState::Active).await?;
    Ok(build)
}

/// Inserts the pool's row, after waiting for another build of the same pool.
async fn claim_in_turn(
    target: &Target,
    build: &mut Build,
    placement: &PlacementName,
    identity: &Identity,
    canary: Uuid,
) -> Result<()> {
    let backend = build.backend;
    let claiming = claim(&mut build.connection, placement, identity, canary);
    // Boxed: a future that is pinned in place would be stored twice.
    let mut claiming = Box::pin(claiming);
    loop {
        tokio::select! {
            claimed = &mut claiming => return claimed,
            () = tokio::time::sleep(COURTESY) => {}
        }
        match settlement::end_idle_holders(target, backend).await {
            Ok(0) => {}
            Ok(ended) => {
                tracing::warn!(ended, "ended the session of a daemon that stopped while it built a pool")
            }
            // The wait has its own time limit.
            Err(error) => {
                tracing::warn!(error = %error.explain(), "the sessions that hold the pool could not be ended");
            }
        }
    }
}

async fn claim(
    connection: &mut PgConnection,
    placement: &PlacementName,
    identity: &Identity,
    canary: Uuid,
) -> Result<()> {
    sqlx::query(
        "insert into tenantry.pool (placement, blueprint, version, checksum, canary_id, rules)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .persistent(false)
    .bind(placement.as_str())
    .bind(&identity.blueprint)
    .bind(&identity.version)
    .bind(&identity.checksum)
    .bind(canary)
    .bind(RULES_VERSION)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(doing("claim the pool"))
}

/// The pool that contains a tenant's rows; none for a tenant with its own objects.
pub async fn of_tenant(target: &Target, mark: Mark) -> Result<Option<PlacementName>> {
    let mut connection = target.acquire().await?;
    let pool: Option<Option<String>> =
        sqlx::query_scalar("select pool from tenantry.placement where operation_id = $1")
            .bind(mark.build.as_uuid())
            .fetch_optional(&mut *connection)
            .await
            .map_err(doing("look for the tenant's pool"))?;
    pool.flatten().map(|name| parse(&name)).transpose()
}

/// The same for a placement whose build is not at hand.
pub async fn of_placement(target: &Target, placement: &PlacementName) -> Result<Option<PlacementName>> {
    let mut connection = target.acquire().await?;
    let pool: Option<Option<String>> =
        sqlx::query_scalar("select pool from tenantry.placement where placement = $1 and kind = 'tenant'")
            .bind(placement.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(doing("look for the tenant's pool"))?;
    pool.flatten().map(|name| parse(&name)).transpose()
}

/// What is wrong with the cover of a pool's tables, one line each; empty as long as nobody has changed it.
pub async fn uncovered(connection: &mut PgConnection, pool: &PlacementName) -> Result<Vec<String>> {
    pool_rules::broken(connection, pool, Stage::Finished).await
}

/// The tenant id of the rows in a pool that its tenants attack.
pub async fn canary(target: &Target, pool: &PlacementName) -> Result<Uuid> {
    let mut connection = target.acquire().await?;
    sqlx::query_scalar("select canary_id from tenantry.pool where placement = $1")
        .bind(pool.as_str())
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("look for the pool's canary"))
}

/// The names of up to `most` of the pool's tables that its tenants' applications may read, those with the most rows first.
pub async fn largest_tables(target: &Target, pool: &PlacementName, most: i64) -> Result<Vec<String>> {
    let mut connection = target.acquire().await?;
    sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = to_regnamespace($1) and relkind = 'r' and has_table_privilege($1 || '_app', oid, 'select')
         order by pg_stat_get_live_tuples(oid) desc, oid limit $2",
    )
    .bind(pool.as_str())
    .bind(most)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for the pool's largest tables"))
}

/// Everything that an attack on a pool's canary could change, as one text.
pub async fn picture(target: &Target, pool: &PlacementName) -> Result<String> {
    let mut connection = target.acquire().await?;
    let begun = connection.begin_with("begin read only").await;
    let mut tx = begun.map_err(doing("begin to take the picture"))?;
    let call = render("select tenantry.{pool}_picture()", &[("pool", Value::Placement(pool))]);
    let picture = sqlx::query_scalar(sqlx::AssertSqlSafe(call))
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(doing("take the picture of the pool's canary"));
    // If somebody has tampered with a pool, its rows can bring code with them. The rollback also discards
    // what that code left for COMMIT.
    tx.rollback().await.map_err(doing("end the picture"))?;
    picture
}

/// Opens or closes the tenant's rows to its own roles. Does nothing for a tenant that is in no pool.
pub(in crate::postgres) async fn open_or_close(
    connection: &mut PgConnection,
    placement: &PlacementName,
    door: Door,
) -> Result<()> {
    sqlx::query(
        "update tenantry.pool_member set is_open = $2 where placement = $1 and is_open <> $2
         and role::text = any (array[$1 || '_app', $1 || '_a', $1 || '_b', $1 || '_probe'])",
    )
    .bind(placement.as_str())
    .bind(door == Door::Open)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(doing("open or close the tenant's rows"))
}

/// The transactions that write into a pool's tables, by the server's names for them, of sessions that can act as the tenant.
/// Logins of other tenants cannot. The transactions may have begun before the tenant's roles were closed, and may have been
/// prepared since. The daemon's own do not count, although from version 16 on it could act as any role that it made: it writes
/// there for a tenant that is being made.
pub(super) async fn writers(
    connection: &mut PgConnection,
    pool: &PlacementName,
    placement: &PlacementName,
) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct l.virtualtransaction from pg_locks l join pg_class c on c.oid = l.relation
         left join pg_stat_activity a on a.pid = l.pid
         left join (select x.owner, i.virtualtransaction from pg_prepared_xacts x
                    join pg_locks i on i.locktype = 'transactionid' and i.transactionid = x.transaction and i.pid is null) x
             on l.pid is null and x.virtualtransaction = l.virtualtransaction
         join pg_roles r on r.rolname = coalesce(a.usename, x.owner)
         where l.database = (select oid from pg_database where datname = current_database())
           and c.relnamespace = to_regnamespace($1) and l.mode = 'RowExclusiveLock'
           and r.rolname <> current_user and pg_has_role(r.oid, to_regrole($2 || '_app')::oid, 'member')
         union
         -- One that only read so far may still see the rows as open, and write.
         select l.virtualtransaction from pg_stat_activity a join pg_locks l on l.pid = a.pid and l.locktype = 'virtualxid'
         join pg_roles r on r.rolname = a.usename
         where a.datname = current_database() and a.backend_xmin is not null and not r.rolsuper
           and r.rolname <> current_user and pg_has_role(r.oid, to_regrole($2 || '_app')::oid, 'member')",
    )
    .bind(pool.as_str())
    .bind(placement.as_str())
    .fetch_all(connection)
    .await
    .map_err(doing("look for transactions that write into the pool"))
}

impl Build {
    /// Makes the pool's own roles: its owner, and the role that all of its tenants are members of.
    pub async fn create_pool_roles(&mut self) -> Result<()> {
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("group", Value::Identifier(&self.group)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let sql = render(pool_ddl::POOL_ROLES, &values);
        execute(&mut self.connection, sql, "create the pool's roles").await
    }

    /// Lets what the next file inserts be the canary's, for whom the owner stands.
    pub async fn give_tenant(&mut self) -> Result<()> {
        let sql = render(pool_ddl::GIVE_TENANT, &[("placement", Value::Placement(&self.placement))]);
        execute(&mut self.connection, sql, "let new rows be the canary's").await
    }

    /// Puts row-level security on every table of the pool. Returns the rules that the pool breaks; if there
    /// are any, nothing is covered.
    pub async fn cover(&mut self) -> Result<Vec<String>> {
        let broken = pool_rules::broken(&mut self.connection, &self.placement, Stage::Uncovered).await?;
        if broken.is_empty() {
            let cover = render(pool_ddl::COVER, &[("placement", Value::Placement(&self.placement))]);
            execute(&mut self.connection, cover, "cover the pool's tables").await?;
        }
        Ok(broken)
    }

    /// Finishes the pool after the last file, which ran as the owner and could have changed anything. Covers the
    /// tables again, makes the functions that the daemon calls, and checks all of it against the rules. Returns
    /// the rules that the pool breaks.
    pub async fn finish_pool(&mut self) -> Result<Vec<String>> {
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let sql = [pool_ddl::COVER, pool_ddl::CLOSE_POOL, pool_ddl::POOL_FUNCTIONS].concat();
        execute(&mut self.connection, render(&sql, &values), "finish the pool").await?;
        pool_rules::broken(&mut self.connection, &self.placement, Stage::Finished).await
    }

    /// Makes a tenant's roles, as members of the pool's roles.
    pub async fn create_shared_roles(
        &mut self,
        pool: &PlacementName,
        limits: LoginLimits,
        probe: &Verifier,
    ) -> Result<()> {
        self.make_roles(pool_ddl::SHARED_ROLES, pool, limits, probe).await
    }

    /// From here on, the roles stand for the tenant, and files run in the pool's schema.
    pub async fn join(
        &mut self,
        mark: Mark,
        (pool, identity): (&PlacementName, &Identity),
        tenant: TenantId,
    ) -> Result<()> {
        pool_identity::stay(&mut self.connection, pool, identity).await?;
        sqlx::query(pool_ddl::JOIN)
            .persistent(false)
            .bind(self.placement.as_str())
            .bind(pool.as_str())
            .bind(tenant.as_uuid())
            .execute(&mut *self.connection)
            .await
            .map_err(doing("join the pool"))?;
        sqlx::query("update tenantry.placement set pool = $2 where operation_id = $1")
            .persistent(false)
            .bind(mark.build.as_uuid())
            .bind(pool.as_str())
            .execute(&mut *self.connection)
            .await
            .map_err(doing("note the tenant's pool"))?;
        let hand = render(pool_ddl::HAND, &[("placement", Value::Placement(&self.placement))]);
        execute(&mut self.connection, hand, "make room for the tenant's seed").await?;
        self.pool = Some(pool.clone());
        self.deferral = Deferral::Lost;
        Ok(())
    }
}

fn parse(name: &str) -> Result<PlacementName> {
    PlacementName::parse(name)
        .map_err(|error| Error::Corrupt { what: "the pool's name", why: error.to_string() })
}
