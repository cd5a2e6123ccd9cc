//! The login that a tenant is archived through, and what the login sees: the number of tables and rows.
//!
//! Invariants: the login belongs to the tenant and is closed again whatever happens. Rows are counted in the same snapshot
//! that is dumped. The provisioner reads nothing of a tenant, because a view or an index can run the tenant's code. Under this
//! login, such code has the tenant's own rights and no others.

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing, doing_for_a_tenant};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, identifier, render};
use crate::postgres::secret::Password;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{self, Mark};
use crate::postgres::target::sessions;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenant_ddl;

/// A session that holds its snapshot open, so that a dump sees the same data.
#[derive(Debug)]
pub struct DumpSnapshot {
    session: PgConnection,
    /// The schema that is dumped: the tenant's own, or its pool's.
    pub schema: PlacementName,
    pub rows_of: RowsOf,
    /// The snapshot's name for `pg_dump --snapshot`.
    pub id: String,
    /// Includes partitions and partitioned tables.
    pub tables: u64,
    pub rows: u64,
}

/// Which rows of the schema are dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsOf {
    Everybody,
    /// The rows that the policies show to the archiver.
    TheTenant,
}

/// Makes the login, or opens an existing one, with a new secret.
pub async fn open(
    target: &Target,
    mark: Mark,
    placement: &PlacementName,
    pool: Option<&PlacementName>,
) -> Result<Password> {
    let password = Password::generate();
    let verifier = password.verifier();
    let values = [("placement", Value::Placement(placement)), ("verifier", Value::Verifier(&verifier))];
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to open the archive's login"))?;
    marker::hold(&mut tx, mark).await?;
    if !exists(&mut tx, placement).await? {
        execute(&mut tx, render(tenant_ddl::CREATE_DUMP_ROLE, &values), "make the archive's login").await?;
    }
    let template = if pool.is_some() { pool_ddl::SHARED_DUMP_ROLE } else { tenant_ddl::DUMP_ROLE };
    execute(&mut tx, render(template, &values), "open the archive's login").await?;
    tx.commit().await.map_err(doing("commit the archive's login"))?;
    Ok(password)
}

/// Closes the login, ends its sessions, and removes it. May be repeated.
pub async fn close(target: &Target, ready: &Ready, mark: Mark, placement: &PlacementName) -> Result<()> {
    /// dependent_objects_still_exist, lock_not_available
    const IN_USE: [&str; 2] = ["2BP01", "55P03"];
    let mut connection = target.acquire().await?;
    if !exists(&mut connection, placement).await? {
        return Ok(());
    }
    let role = tenant_ddl::dump_role(placement);
    let values = [("role", Value::Identifier(&role))];
    let mut tx = connection.begin().await.map_err(doing("begin to close the archive's login"))?;
    marker::hold(&mut tx, mark).await?;
    execute(&mut tx, render(tenant_ddl::CLOSE_SLOT, &values), "close the archive's login").await?;
    tx.commit().await.map_err(doing("commit the closing of the archive's login"))?;
    sessions::end(&mut connection, ready, mark, std::slice::from_ref(&role)).await?;
    let mut tx = connection.begin().await.map_err(doing("begin to remove the archive's login"))?;
    marker::hold(&mut tx, mark).await?;
    match execute(&mut tx, render("drop role {role}", &values), "remove the archive's login").await {
        Ok(()) => tx.commit().await.map_err(doing("commit the removal of the archive's login")),
        // Another tenant has granted it something meanwhile, or is about to. It is closed, and is removed
        // with the tenant's other roles.
        Err(error) if error.server().is_some_and(|server| server.is_any(&IN_USE)) => {
            tracing::warn!(%role, error = %error.explain(), "the archive's login is closed, and stays");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

impl DumpSnapshot {
    /// Logs in as the tenant's archiver, counts everything, and keeps the snapshot until this is closed.
    pub async fn take(
        site: Site<'_>,
        placement: &PlacementName,
        pool: Option<&PlacementName>,
        password: &Password,
    ) -> Result<Self> {
        let mut session = site.login(&tenant_ddl::dump_role(placement), password).await?;
        sqlx::raw_sql(
            "set application_name = 'tenantry-archive';
             set search_path = pg_catalog;
             begin isolation level repeatable read read only",
        )
        .execute(&mut session)
        .await
        .map_err(doing("begin to look at what is archived"))?;
        let (schema, rows_of) = pool.map_or((placement, RowsOf::Everybody), |pool| (pool, RowsOf::TheTenant));
        if rows_of == RowsOf::Everybody {
            // With this setting, a query fails if a policy would hide rows from it.
            sqlx::raw_sql("set local row_security = off")
                .execute(&mut session)
                .await
                .map_err(doing("begin to look at what is archived"))?;
            refuse_forced_policies(&mut session, placement).await?;
        }
        let id = sqlx::query_scalar("select pg_export_snapshot()")
            .fetch_one(&mut session)
            .await
            .map_err(doing("keep the picture for the archive"))?;
        refuse_large_objects(&mut session, placement).await?;
        let found: Vec<(String, bool)> = sqlx::query_as(
            "select c.relname::text, c.relkind = 'r' from pg_class c
             where c.relnamespace = (select oid from pg_namespace where nspname = $1) and c.relkind in ('r', 'p')
               and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                               and d.deptype = 'e')
             order by c.oid",
        )
        .bind(schema.as_str())
        .fetch_all(&mut session)
        .await
        .map_err(doing("list what is archived"))?;
        let mut rows = 0;
        for (table, _) in found.iter().filter(|(_, has_rows)| *has_rows) {
            let count = format!("select count(*) from only {schema}.{}", identifier(table));
            let counted: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .fetch_one(&mut session)
                .await
                .map_err(doing_for_a_tenant("count what is archived"))?;
            rows += counted.unsigned_abs();
        }
        Ok(Self { session, schema: schema.clone(), rows_of, id, tables: found.len() as u64, rows })
    }

    /// Whether the server still keeps the snapshot.
    pub async fn is_there(&mut self) -> Result<()> {
        sqlx::query("select 1")
            .execute(&mut self.session)
            .await
            .map(|_| ())
            .map_err(doing("hold on to the picture for the archive"))
    }

    pub async fn close(self) {
        // The session only read data, so a failed close changes nothing.
        self.session.close().await.ok();
    }
}

/// Refuses tables that a dump of the schema could not read.
async fn refuse_forced_policies(session: &mut PgConnection, placement: &PlacementName) -> Result<()> {
    let forced: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = (select oid from pg_namespace where nspname = $1) and relrowsecurity and relforcerowsecurity
         order by relname limit 5",
    )
    .bind(placement.as_str())
    .fetch_all(&mut *session)
    .await
    .map_err(doing("look for forced row security"))?;
    if !forced.is_empty() {
        return Err(Error::Refused(format!(
            "no archive can be made: FORCE ROW LEVEL SECURITY on {} hides rows from their own owner. Save the data by other \
             means, then say that it may go with --discard-data",
            forced.join(", ")
        )));
    }
    Ok(())
}

/// Refuses large objects, which a dump of the schema would silently leave out.
async fn refuse_large_objects(session: &mut PgConnection, placement: &PlacementName) -> Result<()> {
    let objects: i64 = sqlx::query_scalar(
        "select count(*) from pg_largeobject_metadata l join pg_roles r on r.oid = l.lomowner where r.rolname = any($1)",
    )
    .bind(tenant_ddl::all_roles(placement))
    .fetch_one(session)
    .await
    .map_err(doing("look for large objects"))?;
    if objects > 0 {
        return Err(Error::Refused(format!(
            "no archive can be made: the tenant has {objects} large objects, which stand outside of its schema and would be \
             missing. Save them by other means, then say that they may go with --discard-data"
        )));
    }
    Ok(())
}

async fn exists(connection: &mut PgConnection, placement: &PlacementName) -> Result<bool> {
    sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(tenant_ddl::dump_role(placement))
        .fetch_one(connection)
        .await
        .map_err(doing("look for the archive's login"))
}
