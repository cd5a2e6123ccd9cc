//! Isolation reports of tenants.

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::IsolationReport;

use super::error::{Result, doing};

pub async fn insert(
    tx: &mut PgConnection,
    operation: OperationId,
    tenant: TenantId,
    report: &IsolationReport,
) -> Result<()> {
    sqlx::query(
        "insert into control.isolation_report (operation_id, tenant_id, at, holds, report) values ($1, $2, $3, $4, $5)",
    )
    .bind(operation.as_uuid())
    .bind(tenant.as_uuid())
    .bind(report.at)
    .bind(report.holds())
    .bind(Json(report))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("store the isolation report"))
}

/// The newest report about a tenant.
pub async fn newest(pool: &PgPool, tenant: TenantId) -> Result<Option<IsolationReport>> {
    let found: Option<Json<IsolationReport>> = sqlx::query_scalar(
        "select report from control.isolation_report where tenant_id = $1 order by at desc limit 1",
    )
    .bind(tenant.as_uuid())
    .fetch_optional(pool)
    .await
    .map_err(doing("read the isolation report"))?;
    Ok(found.map(|Json(report)| report))
}
