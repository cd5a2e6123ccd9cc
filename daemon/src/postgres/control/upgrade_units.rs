//! The tenants of an upgrade: who is in, who is next, and what became of each.
//!
//! A tenant's operation moves it to `running` in the transaction of its intent, and to its end in that of its outcome. So no
//! daemon has to remember which ones it began.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::brief;
use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName, Slug, TargetName};
use tenantry_protocol::upgrade::{Course, UnitState, UpgradeUnit};
use time::OffsetDateTime;
use uuid::Uuid;

use super::tenants::{corrupt, read, version};
use super::upgrades::Selection;
use crate::postgres::error::{Result, doing};

/// The longest account of a failure, in bytes.
const LONGEST_REASON: usize = 600;
/// How often a tenant is tried whose tables somebody holds.
const MOST_ATTEMPTS: i32 = 2;
/// How long such a tenant waits, at least, at the end of the queue.
const PAUSE_S: f64 = 10.0;

/// Adds the tenants that are behind and not in yet, and returns their number. The first ones are spread over the waves; those
/// that come later belong to the last one.
pub async fn enrol(tx: &mut PgConnection, id: UpgradeId) -> Result<u64> {
    let added = sqlx::query(
        "with had as (select max(position) as position, max(wave) as wave from control.upgrade_unit where upgrade_id = $1),
              behind as (
                select t.id, t.target, row_number() over (order by t.slug) as n, count(*) over () as tenants
                from control.upgrade u join control.tenant t
                  on t.blueprint = u.blueprint and case when u.goes_back then (t.major, t.minor) > (u.major, u.minor)
                                                         else (t.major, t.minor) < (u.major, u.minor) end
                where u.id = $1 and t.state in ('active', 'suspended')
                  and (u.targets = '{}' or t.target = any (u.targets)) and (u.tenants = '{}' or t.slug = any (u.tenants))
                  and t.labels @> u.labels
                  and not exists (select from control.upgrade_unit x where x.upgrade_id = u.id and x.tenant_id = t.id))
         insert into control.upgrade_unit (upgrade_id, tenant_id, target, position, wave, state)
         select $1, b.id, b.target, coalesce(had.position, 0) + b.n,
                case when had.wave is not null then greatest(had.wave, u.wave)
                     when b.n <= u.pilot then 0
                     else 1 + (b.n - u.pilot - 1)
                              / greatest(1, ceil((b.tenants - u.pilot) * u.wave_percent / 100.0)::bigint) end,
                'pending'
         from behind b cross join had cross join (select pilot, wave, wave_percent from control.upgrade where id = $1) u",
    )
    .bind(id.as_uuid())
    .execute(tx)
    .await
    .map_err(doing("enrol the tenants that are behind"))?;
    Ok(added.rows_affected())
}

/// Whether a tenant that is behind is still being made. It belongs to the upgrade once it stands.
pub async fn is_one_coming(tx: &mut PgConnection, id: UpgradeId) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (
            select from control.upgrade u join control.tenant t
              on t.blueprint = u.blueprint and case when u.goes_back then (t.major, t.minor) > (u.major, u.minor)
                                                         else (t.major, t.minor) < (u.major, u.minor) end
            where u.id = $1 and t.state = 'provisioning'
              and (u.targets = '{}' or t.target = any (u.targets)) and (u.tenants = '{}' or t.slug = any (u.tenants))
              and t.labels @> u.labels)",
    )
    .bind(id.as_uuid())
    .fetch_one(tx)
    .await
    .map_err(doing("look for tenants that are being made"))
}

/// The next tenants of each of these targets, at most `most` of each.
pub async fn next(
    pool: &PgPool,
    id: UpgradeId,
    targets: &[&str],
    most: i64,
) -> Result<Vec<(TenantId, TargetName)>> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "select x.tenant_id, x.target
         from control.upgrade u cross join unnest($2::text[]) as t (target)
         cross join lateral (
            select tenant_id, target, position from control.upgrade_unit
            where upgrade_id = u.id and target = t.target and state = 'pending' and wave <= u.wave
              and (not_before is null or not_before <= now())
            order by position limit $3) x
         where u.id = $1 and u.state = 'running' order by x.position",
    )
    .bind(id.as_uuid())
    .bind(targets)
    .bind(most)
    .fetch_all(pool)
    .await
    .map_err(doing("look for the upgrade's next tenants"))?;
    let unit = |(id, target): (Uuid, String)| {
        Ok((TenantId::from_uuid(id), TargetName::parse(&target).map_err(corrupt)?))
    };
    rows.into_iter().map(unit).collect()
}

/// How far an upgrade is within its waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The wave whose tenants begin.
    pub wave: i32,
    /// Tenants that may begin now or after a pause, and that have begun.
    pub open: i64,
    /// The next wave that has tenants.
    pub next_wave: Option<i32>,
    /// Tenants that failed and are not accepted yet.
    pub failed: i64,
    pub all: i64,
}

pub async fn reach(pool: &PgPool, id: UpgradeId) -> Result<Option<Reach>> {
    let row: Option<(i32, i64, Option<i32>, i64, i64)> = sqlx::query_as(
        "select u.wave, count(*) filter (where x.state = 'running' or x.state = 'pending' and x.wave <= u.wave),
                min(x.wave) filter (where x.state = 'pending' and x.wave > u.wave),
                count(*) filter (where x.state in ('failed', 'partly')) - u.accepted_failures, count(x.*)
         from control.upgrade u left join control.upgrade_unit x on x.upgrade_id = u.id
         where u.id = $1 group by u.id",
    )
    .bind(id.as_uuid())
    .fetch_optional(pool)
    .await
    .map_err(doing("look how far the upgrade is"))?;
    Ok(row.map(|(wave, open, next_wave, failed, all)| Reach { wave, open, next_wave, failed, all }))
}

/// How a tenant's part ended.
#[derive(Debug)]
pub struct UnitEnd {
    pub state: UnitState,
    /// Absent if it succeeded.
    pub failure_key: Option<String>,
    pub reason: Option<String>,
    /// Somebody held its tables: it goes to the end of the queue once.
    pub was_locked_out: bool,
}

/// The tenant's operation ended. Nothing happens if it belongs to no upgrade of many.
pub async fn end(tx: &mut PgConnection, operation: OperationId, end: &UnitEnd) -> Result<()> {
    sqlx::query(
        "update control.upgrade_unit x
         set state = case when again then 'pending' else $2 end, failure_key = $3, reason = $4,
             not_before = case when again then clock_timestamp() + make_interval(secs => $7) end,
             ended_at = case when again then null else clock_timestamp() end,
             position = case when again then (select max(position) + 1 from control.upgrade_unit y where y.upgrade_id = x.upgrade_id)
                             else position end
         from (select upgrade_id, tenant_id, $5 and attempts < $6 as again from control.upgrade_unit where operation_id = $1) o
         where x.upgrade_id = o.upgrade_id and x.tenant_id = o.tenant_id",
    )
    .bind(operation.as_uuid())
    .bind(end.state.name())
    .bind(&end.failure_key)
    .bind(end.reason.as_deref().map(|reason| brief::cut(reason, LONGEST_REASON)))
    .bind(end.was_locked_out)
    .bind(MOST_ATTEMPTS)
    .bind(PAUSE_S)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("record the end of the tenant's upgrade"))
}

/// A pending tenant gets no operation: it has the version, or cannot have it.
pub async fn settle(
    tx: &mut PgConnection,
    upgrade: UpgradeId,
    tenant: TenantId,
    state: UnitState,
    reason: Option<&str>,
) -> Result<()> {
    sqlx::query(
        "update control.upgrade_unit set state = $3, reason = $4, failure_key = case when $3 = 'failed' then 'refused' end,
                ended_at = clock_timestamp()
         where upgrade_id = $1 and tenant_id = $2 and state = 'pending'",
    )
    .bind(upgrade.as_uuid())
    .bind(tenant.as_uuid())
    .bind(state.name())
    .bind(reason.map(|reason| brief::cut(reason, LONGEST_REASON)))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("settle the tenant's part"))
}

/// A pending tenant waits for this long, because something else is being done to it.
pub async fn defer(tx: &mut PgConnection, upgrade: UpgradeId, tenant: TenantId, seconds: f64) -> Result<()> {
    sqlx::query(
        "update control.upgrade_unit set not_before = clock_timestamp() + make_interval(secs => $3)
         where upgrade_id = $1 and tenant_id = $2 and state = 'pending'",
    )
    .bind(upgrade.as_uuid())
    .bind(tenant.as_uuid())
    .bind(seconds)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("defer the tenant's part"))
}

/// Tenants that failed, were skipped or are partly upgraded are tried again, after all others. Returns their number.
pub async fn retry(tx: &mut PgConnection, id: UpgradeId) -> Result<u64> {
    let again = sqlx::query(
        "update control.upgrade_unit x
         set state = 'pending', attempts = 0, not_before = null, ended_at = null, position = o.last + o.n,
             wave = least(x.wave, o.wave)
         from (select y.tenant_id, row_number() over (order by y.position) as n, u.wave,
                      (select max(position) from control.upgrade_unit where upgrade_id = $1) as last
               from control.upgrade_unit y join control.upgrade u on u.id = y.upgrade_id
               where y.upgrade_id = $1 and y.state in ('failed', 'skipped', 'partly')) o
         where x.upgrade_id = $1 and x.tenant_id = o.tenant_id",
    )
    .bind(id.as_uuid())
    .execute(tx)
    .await
    .map_err(doing("try the failures again"))?;
    Ok(again.rows_affected())
}

/// A page of an upgrade's tenants, in the order in which they begin.
pub async fn page(
    pool: &PgPool,
    id: UpgradeId,
    states: &[String],
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, UpgradeUnit)>> {
    let rows = sqlx::query(
        "select x.*, t.slug from control.upgrade_unit x join control.tenant t on t.id = x.tenant_id
         where x.upgrade_id = $1 and ($2::text[] = '{}' or x.state = any ($2)) and ($3::bigint is null or x.position > $3)
         order by x.position limit $4",
    )
    .bind(id.as_uuid())
    .bind(states)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(doing("list the upgrade's tenants"))?;
    rows.iter().map(|row| Ok((read(row, "position")?, unit(row)?))).collect()
}

fn unit(row: &PgRow) -> Result<UpgradeUnit> {
    Ok(UpgradeUnit {
        tenant_id: TenantId::from_uuid(read(row, "tenant_id")?),
        slug: Slug::parse(&read::<String>(row, "slug")?).map_err(corrupt)?,
        target: TargetName::parse(&read::<String>(row, "target")?).map_err(corrupt)?,
        wave: read::<i32>(row, "wave")?.unsigned_abs(),
        state: UnitState::parse(&read::<String>(row, "state")?),
        attempts: read::<i32>(row, "attempts")?.unsigned_abs(),
        operation_id: read::<Option<Uuid>>(row, "operation_id")?.map(OperationId::from_uuid),
        failure_key: read(row, "failure_key")?,
        reason: read(row, "reason")?,
        ended_at: read(row, "ended_at")?,
    })
}

/// The versions that tenants of this selection have from which such an upgrade comes, and how many have each.
pub async fn behind(
    pool: &PgPool,
    blueprint: &BlueprintName,
    to: BlueprintVersion,
    course: Course,
    selection: &Selection,
) -> Result<Vec<(BlueprintVersion, u64)>> {
    let rows = sqlx::query(
        "select t.major, t.minor, count(*) as tenants from control.tenant t
         where t.blueprint = $1 and t.state in ('active', 'suspended')
           and case when $7 then (t.major, t.minor) > ($2, $3) else (t.major, t.minor) < ($2, $3) end
           and ($4::text[] = '{}' or t.target = any ($4)) and ($5::text[] = '{}' or t.slug = any ($5)) and t.labels @> $6
         group by t.major, t.minor order by t.major, t.minor",
    )
    .bind(blueprint.as_str())
    .bind(i32::from(to.major()))
    .bind(i32::from(to.minor()))
    .bind(&selection.targets)
    .bind(&selection.tenants)
    .bind(Json(&selection.labels))
    .bind(course == Course::Back)
    .fetch_all(pool)
    .await
    .map_err(doing("count the tenants that are behind"))?;
    rows.iter().map(|row| Ok((version(row)?, read::<i64>(row, "tenants")?.unsigned_abs()))).collect()
}

/// How many of these placements belong to tenants of this registry.
pub async fn known_placements(pool: &PgPool, placements: &[PlacementName]) -> Result<usize> {
    let placements: Vec<&str> = placements.iter().map(PlacementName::as_str).collect();
    let known: i64 = sqlx::query_scalar("select count(*) from control.tenant where placement = any ($1)")
        .bind(placements)
        .fetch_one(pool)
        .await
        .map_err(doing("look for the pool's tenants"))?;
    Ok(usize::try_from(known).unwrap_or_default())
}

/// The slug of the tenant of this registry that has the placement.
pub async fn slug_of(pool: &PgPool, placement: &PlacementName) -> Result<Option<String>> {
    sqlx::query_scalar("select slug from control.tenant where placement = $1")
        .bind(placement.as_str())
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the tenant of a placement"))
}

/// A living tenant, the version that it has, and since when.
pub type VersionHeld = (String, BlueprintVersion, OffsetDateTime);

/// The versions of all living tenants of a blueprint, or of one of them.
pub async fn held_versions(
    pool: &PgPool,
    blueprint: &BlueprintName,
    tenant: Option<TenantId>,
) -> Result<Vec<VersionHeld>> {
    let rows = sqlx::query(
        "select slug, major, minor, version_since from control.tenant
         where blueprint = $1 and state not in ('rolled_back', 'retired') and ($2::uuid is null or id = $2)",
    )
    .bind(blueprint.as_str())
    .bind(tenant.map(TenantId::as_uuid))
    .fetch_all(pool)
    .await
    .map_err(doing("look for the versions of tenants"))?;
    rows.iter().map(|row| Ok((read(row, "slug")?, version(row)?, read(row, "version_since")?))).collect()
}

/// What an upgrade finds of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Footing {
    pub tenant: TenantId,
    /// The key of the marker of its build.
    pub build: OperationId,
    /// Since when the tenant is known to have drifted, where this upgrade minds that.
    pub drifted_since: Option<OffsetDateTime>,
}

pub async fn footings(pool: &PgPool, upgrade: UpgradeId, tenants: &[TenantId]) -> Result<Vec<Footing>> {
    let rows: Vec<(Uuid, Uuid, Option<OffsetDateTime>)> = sqlx::query_as(
        "select t.id, t.build_id, case when u.accept_drift and not u.goes_back then null else t.drifted_since end
         from control.tenant t join control.upgrade u on u.id = $2 where t.id = any ($1) and t.build_id is not null",
    )
    .bind(tenants.iter().map(|tenant| tenant.as_uuid()).collect::<Vec<_>>())
    .bind(upgrade.as_uuid())
    .fetch_all(pool)
    .await
    .map_err(doing("look for the tenants' builds"))?;
    let footing = |(tenant, build, drifted_since)| Footing {
        tenant: TenantId::from_uuid(tenant),
        build: OperationId::from_uuid(build),
        drifted_since,
    };
    Ok(rows.into_iter().map(footing).collect())
}

/// The targets of the tenants that may begin, or have begun.
pub async fn open_targets(pool: &PgPool, id: UpgradeId) -> Result<Vec<TargetName>> {
    let names: Vec<String> = sqlx::query_scalar(
        "select distinct x.target from control.upgrade u join control.upgrade_unit x on x.upgrade_id = u.id
         where u.id = $1 and (x.state = 'running' or x.state = 'pending' and x.wave <= u.wave) order by 1",
    )
    .bind(id.as_uuid())
    .fetch_all(pool)
    .await
    .map_err(doing("look for the targets of waiting tenants"))?;
    names.iter().map(|name| TargetName::parse(name).map_err(corrupt)).collect()
}
