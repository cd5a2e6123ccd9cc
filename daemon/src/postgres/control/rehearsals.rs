//! What has to be rehearsed before an upgrade: the targets of its tenants, with the versions that they have there.

use sqlx::PgPool;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, TargetName};
use tenantry_protocol::upgrade::Course;

use super::tenants::{corrupt, read, version};
use super::upgrades::Selection;
use crate::postgres::error::{Result, doing};

/// The most targets and versions that are rehearsed for one upgrade before it begins; the others are when their turn comes.
const MOST: i64 = 200;

/// The targets and versions of the tenants of this selection that are behind.
pub async fn of_selection(
    pool: &PgPool,
    blueprint: &BlueprintName,
    to: BlueprintVersion,
    course: Course,
    selection: &Selection,
) -> Result<Vec<(TargetName, BlueprintVersion)>> {
    let rows = sqlx::query(
        "select distinct t.target, t.major, t.minor from control.tenant t
         where t.blueprint = $1 and t.state in ('active', 'suspended')
           and case when $8 then (t.major, t.minor) > ($2, $3) else (t.major, t.minor) < ($2, $3) end
           and ($4::text[] = '{}' or t.target = any ($4)) and ($5::text[] = '{}' or t.slug = any ($5)) and t.labels @> $6
         order by t.target, t.major, t.minor limit $7",
    )
    .bind(blueprint.as_str())
    .bind(i32::from(to.major()))
    .bind(i32::from(to.minor()))
    .bind(&selection.targets)
    .bind(&selection.tenants)
    .bind(Json(&selection.labels))
    .bind(MOST)
    .bind(course == Course::Back)
    .fetch_all(pool)
    .await
    .map_err(doing("look for the targets of tenants that are behind"))?;
    rows.iter().map(pair).collect()
}

/// The targets and versions of the tenants of an upgrade that have not begun.
pub async fn of_upgrade(pool: &PgPool, id: UpgradeId) -> Result<Vec<(TargetName, BlueprintVersion)>> {
    let rows = sqlx::query(
        "select distinct t.target, t.major, t.minor
         from control.upgrade u join control.upgrade_unit x on x.upgrade_id = u.id join control.tenant t on t.id = x.tenant_id
         where u.id = $1 and x.state = 'pending'
           and case when u.goes_back then (t.major, t.minor) > (u.major, u.minor)
                    else (t.major, t.minor) < (u.major, u.minor) end
         order by t.target, t.major, t.minor limit $2",
    )
    .bind(id.as_uuid())
    .bind(MOST)
    .fetch_all(pool)
    .await
    .map_err(doing("look for the targets of the upgrade"))?;
    rows.iter().map(pair).collect()
}

/// Whether the upgrade was asked to accept what differs. A downgrade never does: only what was proven is taken back.
pub async fn accepts_drift(pool: &PgPool, id: UpgradeId) -> Result<bool> {
    sqlx::query_scalar("select accept_drift and not goes_back from control.upgrade where id = $1")
        .bind(id.as_uuid())
        .fetch_one(pool)
        .await
        .map_err(doing("look what the upgrade accepts"))
}

fn pair(row: &PgRow) -> Result<(TargetName, BlueprintVersion)> {
    let target = TargetName::parse(&read::<String>(row, "target")?).map_err(corrupt)?;
    Ok((target, version(row)?))
}
