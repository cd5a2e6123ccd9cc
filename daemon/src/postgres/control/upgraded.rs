//! Tenants that get another version: one with those that share its tables, or many of an upgrade at a time, whose operations begin
//! in one transaction and are noted in one.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;
use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::{BlueprintVersion, PlacementName};

use crate::postgres::error::{Error, Result, doing};

/// A tenant that has another version now, and what else is new with it.
#[derive(Debug, Clone, Copy)]
pub struct UpgradedTenant<'a> {
    pub id: TenantId,
    /// The operation that brought it there.
    pub operation: OperationId,
    pub version: BlueprintVersion,
    pub display_name: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    pub settings: &'a BTreeMap<String, i64>,
}

/// The tenants' operations begin. False if one of them is not pending, or if the upgrade does not run.
pub async fn begin(
    tx: &mut PgConnection,
    upgrade: UpgradeId,
    units: &[(TenantId, OperationId)],
) -> Result<bool> {
    let begun = sqlx::query(
        "with running as (select id from control.upgrade where id = $1 and state = 'running' for share)
         update control.upgrade_unit x
         set state = 'running', operation_id = n.operation_id, attempts = attempts + 1, failure_key = null, reason = null,
             not_before = null
         from running, unnest($2::uuid[], $3::uuid[]) as n (tenant_id, operation_id)
         where x.upgrade_id = running.id and x.tenant_id = n.tenant_id and x.state = 'pending'",
    )
    .bind(upgrade.as_uuid())
    .bind(units.iter().map(|(tenant, _)| tenant.as_uuid()).collect::<Vec<_>>())
    .bind(units.iter().map(|(_, operation)| operation.as_uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(doing("begin the tenants' upgrades"))?;
    Ok(begun.rows_affected() == units.len() as u64)
}

/// Notes what tenants that stand have from now on.
pub async fn note(tx: &mut PgConnection, tenants: &[UpgradedTenant<'_>]) -> Result<()> {
    let changed = sqlx::query(
        "update control.tenant t
         set major = n.major, minor = n.minor, display_name = n.display_name, labels = n.labels, settings = n.settings,
             updated_at = now(),
             version_since = case when (t.major, t.minor) = (n.major, n.minor) then t.version_since else now() end
         from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::jsonb[], $6::jsonb[])
              as n (id, major, minor, display_name, labels, settings)
         where t.id = n.id and t.state in ('active', 'suspended')",
    )
    .bind(tenants.iter().map(|tenant| tenant.id.as_uuid()).collect::<Vec<_>>())
    .bind(tenants.iter().map(|tenant| i32::from(tenant.version.major())).collect::<Vec<_>>())
    .bind(tenants.iter().map(|tenant| i32::from(tenant.version.minor())).collect::<Vec<_>>())
    .bind(tenants.iter().map(|tenant| tenant.display_name).collect::<Vec<_>>())
    .bind(tenants.iter().map(|tenant| Json(tenant.labels)).collect::<Vec<_>>())
    .bind(tenants.iter().map(|tenant| Json(tenant.settings)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(doing("note the tenants' versions"))?;
    if changed.rows_affected() != tenants.len() as u64 {
        let why = "a tenant was neither active nor suspended when its upgrade ended".to_owned();
        return Err(Error::Corrupt { what: "a tenant's state", why });
    }
    sqlx::query(
        "update control.upgrade_unit set state = 'done', failure_key = null, reason = null, not_before = null,
                ended_at = clock_timestamp()
         where operation_id = any ($1)",
    )
    .bind(tenants.iter().map(|tenant| tenant.operation.as_uuid()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("record the ends of the tenants' upgrades"))
}

/// Notes which version of its blueprint the tenant has from now on, and with it the tenants of these placements, which share its
/// tables.
pub async fn set_version(
    tx: &mut PgConnection,
    id: TenantId,
    members: &[PlacementName],
    version: BlueprintVersion,
) -> Result<()> {
    let members: Vec<&str> = members.iter().map(PlacementName::as_str).collect();
    sqlx::query(
        "update control.tenant set major = $2, minor = $3, updated_at = now(),
                version_since = case when (major, minor) = ($2, $3) then version_since else now() end
         where id = $1 or placement = any ($4)",
    )
    .bind(id.as_uuid())
    .bind(i32::from(version.major()))
    .bind(i32::from(version.minor()))
    .bind(members)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("note the tenant's version"))
}
