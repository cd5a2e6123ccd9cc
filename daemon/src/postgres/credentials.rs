//! Logins of a tenant on its target: the application's secret, and the probe's.

use sqlx::Connection as _;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use super::bookkeeping;
use super::error::{Result, doing};
use super::quote::{Value, render};
use super::secret::Verifier;
use super::target::Target;
use super::tenant_ddl;

/// Sets a new secret on the current slot and opens it for login.
pub async fn issue(target: &Target, placement: &PlacementName, verifier: &Verifier) -> Result<()> {
    let values = [("placement", Value::Placement(placement)), ("verifier", Value::Verifier(verifier))];
    let sql = render(tenant_ddl::ISSUE, &values);
    let mut connection = target.acquire().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *connection)
        .await
        .map(|_| ())
        .map_err(doing("set the secret"))
}

/// The tenant is verified: its marker says active, and the probe can no longer log in.
pub async fn activate(target: &Target, provision: OperationId, placement: &PlacementName) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to activate"))?;
    let sql = render(tenant_ddl::CLOSE_PROBE, &[("placement", Value::Placement(placement))]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *tx)
        .await
        .map_err(doing("close the probe's login"))?;
    bookkeeping::set_state(&mut tx, provision, "active").await?;
    tx.commit().await.map_err(doing("commit the activation"))
}
