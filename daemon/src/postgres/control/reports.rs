//! Isolation reports of tenants.

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::{Grade, IsolationReport};

use crate::model::stored::StoredReport;
use crate::postgres::error::{Result, doing};

/// What the tenant's grade was before a report.
#[derive(Debug)]
pub struct Turn {
    grade_before: Option<String>,
}

impl Turn {
    /// The isolation held, as far as anybody had looked, and holds no more.
    pub fn is_bad(&self, report: &IsolationReport) -> bool {
        report.grade() == Grade::F && self.grade_before.as_deref() != Some("F")
    }
}

/// Stores a report, and the verdict with the tenant.
pub async fn insert(
    tx: &mut PgConnection,
    operation: OperationId,
    tenant: TenantId,
    report: &IsolationReport,
) -> Result<Turn> {
    sqlx::query(
        "insert into control.isolation_report (operation_id, tenant_id, at, holds, report) values ($1, $2, $3, $4, $5)",
    )
    .bind(operation.as_uuid())
    .bind(tenant.as_uuid())
    .bind(report.at)
    .bind(report.holds())
    .bind(Json(StoredReport(report.clone())))
    .execute(&mut *tx)
    .await
    .map_err(doing("store the isolation report"))?;
    let grade_before: Option<String> = sqlx::query_scalar(
        "update control.tenant t set isolation_grade = $2, isolation_depth = $3, isolation_at = $4,
                isolation_full_at = case $3 when 'full' then $4 else t.isolation_full_at end
         from (select id, isolation_grade from control.tenant where id = $1) before
         where t.id = before.id returning before.isolation_grade",
    )
    .bind(tenant.as_uuid())
    .bind(report.grade().to_string())
    .bind(report.depth.name())
    .bind(report.at)
    .fetch_one(tx)
    .await
    .map_err(doing("note the verdict"))?;
    Ok(Turn { grade_before })
}

/// The newest report about a tenant. One from before reports were bounded can have any number of findings: the server gives
/// the first of them, and how many more there are.
pub async fn newest(pool: &PgPool, tenant: TenantId) -> Result<Option<IsolationReport>> {
    let found: Option<Json<StoredReport>> = sqlx::query_scalar(
        "select case when jsonb_array_length(coalesce(report->'findings', '[]')) <= 200 then report
                     else report || jsonb_build_object(
                         'findings', jsonb_path_query_array(report, '$.findings[0 to 199]'),
                         'left_out', coalesce((report->>'left_out')::bigint, 0) + jsonb_array_length(report->'findings') - 200)
                end
         from control.isolation_report where tenant_id = $1 order by at desc limit 1",
    )
    .bind(tenant.as_uuid())
    .fetch_optional(pool)
    .await
    .map_err(doing("read the isolation report"))?;
    Ok(found.map(|Json(StoredReport(report))| report.bounded()))
}
