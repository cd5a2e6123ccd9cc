//! Changes of rows in shared tables, as each of their tenants in turn, within the open transaction of an upgrade.
//!
//! Invariants: the statements run as the tenant's own role, so that the policies decide which rows they see and write: those of
//! the tenant, and no others. They run where RESET ROLE, SET SESSION AUTHORIZATION and COMMIT are refused, and nothing that they
//! leave behind runs as another tenant or as the provisioner. The tables must be covered before.

use tenantry_protocol::name::PlacementName;

use super::file_error::{FileError, file_error, numbered};
use super::runner::{Build, Deferral};
use crate::postgres::error::{Result, doing, doing_for_a_tenant};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};
use crate::postgres::tenant_ddl;

/// The statements of a file that runs as each tenant, as they are sent.
#[derive(Debug)]
pub struct TenantStatements(Vec<String>);

impl TenantStatements {
    pub fn new(statements: &[String]) -> Self {
        Self(numbered(statements))
    }
}

impl Build {
    /// Runs the statements as the tenant, and returns how many rows they changed. The placement of the build is the pool.
    pub async fn apply_as(
        &mut self,
        tenant: &PlacementName,
        statements: &TenantStatements,
    ) -> Result<u64, FileError> {
        let pool = self.placement.clone();
        self.lend_a_hand(tenant, &pool).await?;
        self.wrote = true;
        let call = render("select {placement}.{placement}_run($1)", &self.values(tenant, &pool));
        let changed: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(call))
            .persistent(false)
            .bind(&statements.0)
            .fetch_one(&mut *self.connection)
            .await
            .map_err(doing_for_a_tenant("change the tenant's rows"))
            .map_err(file_error)?;
        self.deferral = Deferral::Lost;
        self.clean_up().await?;
        // A temporary table would bring this tenant's rows to the next one.
        self.execute("discard temp".to_owned(), "drop the temporary tables").await?;
        self.check_session(tenant).await?;
        // What is still deferred would fire at the end of the next tenant's statements, as that tenant.
        self.check_at_rest(&pool).await?;
        let seal = render(pool_ddl::SHARED_SEAL, &self.values(tenant, &pool));
        self.execute(seal, "leave the tenant's role").await?;
        Ok(changed.unsigned_abs())
    }

    /// Makes the function that runs the statements. It belongs to the tenant, and is gone before the next tenant's turn.
    async fn lend_a_hand(&mut self, tenant: &PlacementName, pool: &PlacementName) -> Result<()> {
        // The end of the statements of the tenant before has reset it.
        let mut sql = tenant_ddl::WAIT_BRIEFLY.to_owned();
        sql += &[tenant_ddl::JOIN_OWNER, pool_ddl::HAND, pool_ddl::CHANGE]
            .map(|template| render(template, &self.values(tenant, pool)))
            .concat();
        if self.deferral == Deferral::Lost {
            sql.push_str(&render(tenant_ddl::DEFER, &[("home", Value::Placement(pool))]));
        }
        self.execute(sql, "prepare to change the tenant's rows").await
    }

    fn values<'a>(
        &'a self,
        tenant: &'a PlacementName,
        pool: &'a PlacementName,
    ) -> [(&'static str, Value<'a>); 3] {
        [
            ("placement", Value::Placement(tenant)),
            ("pool", Value::Placement(pool)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ]
    }

    /// Where the session stands after the tenant's statements. The history has one row for the file, and not one for each tenant.
    async fn check_session(&mut self, tenant: &PlacementName) -> Result<(), FileError> {
        let (within_bounds, writable, schema_stands): (bool, bool, bool) = sqlx::query_as(
            "select current_user = $1 and session_user = $1
                 and coalesce(pg_current_xact_id_if_assigned()::xid::text = $2, false),
                 not current_setting('transaction_read_only')::boolean,
                 exists (select from pg_namespace where nspname = $3 and nspowner = to_regrole($3)::oid)",
        )
        .persistent(false)
        .bind(&self.provisioner)
        .bind(&self.xid)
        .bind(tenant.as_str())
        .fetch_one(&mut *self.connection)
        .await
        .map_err(doing("check the bounds of the tenant's statements"))?;
        let problem = match (within_bounds, writable, schema_stands) {
            (false, _, _) => "the file left its transaction or the tenant's role",
            (_, false, _) => "the file made its transaction read only, so that nothing could follow it",
            (_, _, false) => "the file dropped or gave away the schema that it ran in",
            (true, true, true) => return Ok(()),
        };
        Err(FileError::Unsafe(problem.to_owned()))
    }
}
