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

/// Whether a secret could be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    Done,
    /// The tenant is being removed, or was.
    NotActive,
}

/// Sets a new secret on the current slot and opens it for login, while the marker says that the tenant is active. The
/// marker is held meanwhile, so that a removal closes the login after this, or this does not open it any more.
pub async fn issue(target: &Target, placement: &PlacementName, verifier: &Verifier) -> Result<Issue> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to set the secret"))?;
    if !bookkeeping::hold_active(&mut tx, placement).await? {
        return Ok(Issue::NotActive);
    }
    let values = [("placement", Value::Placement(placement)), ("verifier", Value::Verifier(verifier))];
    let sql = render(tenant_ddl::ISSUE, &values);
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *tx).await.map_err(doing("set the secret"))?;
    tx.commit().await.map_err(doing("commit the secret"))?;
    Ok(Issue::Done)
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
