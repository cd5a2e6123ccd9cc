//! Upgrades of many tenants in the registry: what was asked, and how far it is. Their tenants are in [`super::upgrade_units`].
//!
//! Who moves an upgrade to another state first holds its row. A tenant's operation holds it shared while it begins, so that none
//! begins after a pause.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool, Row as _};
use std::collections::BTreeMap;
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::upgrade::{Course, FailureGroup, PauseCause, UnitCounts, Upgrade, UpgradeState};
use uuid::Uuid;

use super::tenants::{corrupt, read, version};
use crate::postgres::error::{Error, Result, doing};

/// The most failures of different kinds that are told.
const MOST_GROUPS: i64 = 20;

/// An upgrade as it is first written.
#[derive(Debug)]
pub struct NewUpgrade<'a> {
    pub id: UpgradeId,
    pub blueprint: &'a BlueprintName,
    pub version: BlueprintVersion,
    pub course: Course,
    pub selection: &'a Selection,
    pub pace: &'a Pace,
    pub actor: &'a str,
    pub plan_hash: &'a str,
    /// The idempotency key, and the digest of the request that it came with.
    pub key: Option<(&'a str, &'a [u8])>,
}

/// Which tenants are in; all of the blueprint if everything is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    pub targets: Vec<String>,
    pub tenants: Vec<String>,
    pub labels: BTreeMap<String, String>,
}

/// How fast an upgrade goes, and when it stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    pub pilot: i32,
    pub wave_percent: i32,
    pub width: i32,
    /// `3`, `2%`.
    pub stop_after: String,
    pub manual: bool,
    /// Whether tenants that are known to have drifted are upgraded, too.
    pub accept_drift: bool,
}

pub async fn insert(tx: &mut PgConnection, upgrade: &NewUpgrade<'_>) -> Result<()> {
    let inserted = sqlx::query(
        "insert into control.upgrade (id, blueprint, major, minor, state, targets, tenants, labels, pilot, wave_percent, width,
                                      stop_after, manual, actor, plan_hash, idempotency_key, request_digest, accept_drift,
                                      goes_back)
         values ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(upgrade.id.as_uuid())
    .bind(upgrade.blueprint.as_str())
    .bind(i32::from(upgrade.version.major()))
    .bind(i32::from(upgrade.version.minor()))
    .bind(&upgrade.selection.targets)
    .bind(&upgrade.selection.tenants)
    .bind(Json(&upgrade.selection.labels))
    .bind(upgrade.pace.pilot)
    .bind(upgrade.pace.wave_percent)
    .bind(upgrade.pace.width)
    .bind(&upgrade.pace.stop_after)
    .bind(upgrade.pace.manual)
    .bind(upgrade.actor)
    .bind(upgrade.plan_hash)
    .bind(upgrade.key.map(|(key, _)| key))
    .bind(upgrade.key.map(|(_, digest)| digest))
    .bind(upgrade.pace.accept_drift)
    .bind(upgrade.course == Course::Back)
    .execute(tx)
    .await;
    match inserted {
        Ok(_) => Ok(()),
        // Another one of this blueprint is open, or the same request came twice at once.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(Error::Busy),
        Err(error) => Err(doing("record the upgrade")(error)),
    }
}

/// The upgrade that this actor's key led to, and whether the request was the same.
pub async fn by_key(
    pool: &PgPool,
    actor: &str,
    key: &str,
    digest: &[u8],
) -> Result<Option<(UpgradeId, bool)>> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(
        "select id, request_digest = $3 from control.upgrade where actor = $1 and idempotency_key = $2",
    )
    .bind(actor)
    .bind(key)
    .bind(digest)
    .fetch_optional(pool)
    .await
    .map_err(doing("look for the idempotency key"))?;
    Ok(row.map(|(id, is_same)| (UpgradeId::from_uuid(id), is_same)))
}

/// The ids of the upgrades that run, or are being rehearsed.
pub async fn running(pool: &PgPool) -> Result<Vec<UpgradeId>> {
    let sql = "select id from control.upgrade where state in ('rehearsing', 'running') order by id";
    let ids: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(pool).await.map_err(doing("look for upgrades"))?;
    Ok(ids.into_iter().map(UpgradeId::from_uuid).collect())
}

/// The columns of an upgrade, with the number of its tenants in each state.
const COLUMNS: &str = "
    select u.*, n.*
    from control.upgrade u
    cross join lateral (
        select count(*) filter (where x.state = 'pending') as pending, count(*) filter (where x.state = 'running') as running,
               count(*) filter (where x.state = 'done') as done, count(*) filter (where x.state = 'current') as current,
               count(*) filter (where x.state = 'skipped') as skipped, count(*) filter (where x.state = 'failed') as failed,
               count(*) filter (where x.state = 'partly') as partly, coalesce(max(x.wave), 0) + 1 as waves
        from control.upgrade_unit x where x.upgrade_id = u.id) n ";

pub async fn by_id(pool: &PgPool, id: UpgradeId) -> Result<Option<Upgrade>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where u.id = $1")))
        .bind(id.as_uuid())
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the upgrade"))?;
    row.as_ref().map(upgrade).transpose()
}

/// The newest upgrades.
pub async fn newest(pool: &PgPool, limit: i64) -> Result<Vec<Upgrade>> {
    let sql = format!("{COLUMNS} order by u.requested_at desc, u.id desc limit $1");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(doing("list the upgrades"))?;
    rows.iter().map(upgrade).collect()
}

/// The state of an upgrade, which stays what it is until the transaction ends. No tenant of it begins meanwhile.
pub async fn hold(tx: &mut PgConnection, id: UpgradeId) -> Result<Option<String>> {
    sqlx::query_scalar("select state from control.upgrade where id = $1 for update")
        .bind(id.as_uuid())
        .fetch_optional(tx)
        .await
        .map_err(doing("hold the upgrade"))
}

/// Moves an upgrade that is held to another state.
pub async fn set_state(tx: &mut PgConnection, id: UpgradeId, state: &UpgradeState) -> Result<()> {
    let (by, reason) = match state {
        UpgradeState::Paused { by, reason } => (Some(by.name()), reason.as_str()),
        _ => (None, ""),
    };
    sqlx::query(
        "update control.upgrade set state = $2, paused_by = $3, reason = $4,
                ended_at = case when $2 in ('rehearsing', 'running', 'paused') then null else now() end
         where id = $1",
    )
    .bind(id.as_uuid())
    .bind(state.name())
    .bind(by)
    .bind(reason)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("change the upgrade's state"))
}

/// Lets a paused upgrade that is held go on, past what paused it: the next wave, or the failures so far. A rehearsal is
/// held again.
pub async fn resume(tx: &mut PgConnection, id: UpgradeId) -> Result<()> {
    sqlx::query(
        "update control.upgrade u set state = case when paused_by = 'rehearsal' then 'rehearsing' else 'running' end,
                paused_by = null, reason = '',
                wave = wave + case when paused_by in ('pilot', 'wave') then 1 else 0 end,
                accepted_failures = (select count(*) from control.upgrade_unit x
                                     where x.upgrade_id = u.id and x.state in ('failed', 'partly'))
         where id = $1",
    )
    .bind(id.as_uuid())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("resume the upgrade"))
}

/// Lets the next wave begin.
pub async fn next_wave(tx: &mut PgConnection, id: UpgradeId, wave: i32) -> Result<()> {
    sqlx::query("update control.upgrade set wave = $2 where id = $1 and wave < $2")
        .bind(id.as_uuid())
        .bind(wave)
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(doing("begin the next wave"))
}

/// The failures of an upgrade by what they have in common, the most frequent first.
pub async fn failures(pool: &PgPool, id: UpgradeId) -> Result<Vec<FailureGroup>> {
    let rows: Vec<(String, i64, String, String)> = sqlx::query_as(
        "select g.key, g.n, t.slug, g.reason
         from (select coalesce(failure_key, state) as key, count(*) as n, (array_agg(tenant_id order by position))[1] as example,
                      (array_agg(coalesce(reason, '') order by position))[1] as reason
               from control.upgrade_unit where upgrade_id = $1 and state in ('failed', 'partly', 'skipped')
               group by 1 order by 2 desc, 1 limit $2) g
         join control.tenant t on t.id = g.example order by g.n desc, g.key",
    )
    .bind(id.as_uuid())
    .bind(MOST_GROUPS)
    .fetch_all(pool)
    .await
    .map_err(doing("group the failures"))?;
    rows.into_iter()
        .map(|(key, tenants, slug, reason)| {
            let example = tenantry_protocol::name::Slug::parse(&slug).map_err(corrupt)?;
            Ok(FailureGroup { key, tenants: tenants.unsigned_abs(), example, reason })
        })
        .collect()
}

fn upgrade(row: &PgRow) -> Result<Upgrade> {
    let count = |column| read::<i64>(row, column).map(i64::unsigned_abs);
    let small = |column| read::<i32>(row, column).map(i32::unsigned_abs);
    Ok(Upgrade {
        id: UpgradeId::from_uuid(read(row, "id")?),
        blueprint: BlueprintName::parse(&read::<String>(row, "blueprint")?).map_err(corrupt)?,
        version: version(row)?,
        course: if read(row, "goes_back")? { Course::Back } else { Course::Forward },
        state: state(row)?,
        wave: small("wave")?,
        waves: small("waves")?,
        counts: UnitCounts {
            pending: count("pending")?,
            running: count("running")?,
            done: count("done")?,
            current: count("current")?,
            skipped: count("skipped")?,
            failed: count("failed")?,
            partly: count("partly")?,
        },
        width: small("width")?,
        stop_after: read(row, "stop_after")?,
        manual: read(row, "manual")?,
        actor: read(row, "actor")?,
        plan_hash: read(row, "plan_hash")?,
        requested_at: read(row, "requested_at")?,
        ended_at: row.try_get("ended_at").map_err(doing("read a row of the registry"))?,
    })
}

fn state(row: &PgRow) -> Result<UpgradeState> {
    let by = match read::<Option<String>>(row, "paused_by")?.as_deref() {
        Some("operator") => PauseCause::Operator,
        Some("rehearsal") => PauseCause::Rehearsal,
        Some("pilot") => PauseCause::Pilot,
        Some("wave") => PauseCause::Wave,
        Some("failures") => PauseCause::Failures,
        Some("target") => PauseCause::Target,
        _ => PauseCause::Other,
    };
    Ok(match read::<String>(row, "state")?.as_str() {
        "rehearsing" => UpgradeState::Rehearsing,
        "running" => UpgradeState::Running,
        "paused" => UpgradeState::Paused { by, reason: read(row, "reason")? },
        "succeeded" => UpgradeState::Succeeded,
        "partial" => UpgradeState::Partial,
        "cancelled" => UpgradeState::Cancelled,
        _ => UpgradeState::Other,
    })
}

/// Opens an upgrade again that ended.
pub async fn reopen(tx: &mut PgConnection, id: UpgradeId) -> Result<()> {
    let opened = sqlx::query(
        "update control.upgrade u set state = 'running', ended_at = null,
                accepted_failures = 0
         where id = $1",
    )
    .bind(id.as_uuid())
    .execute(tx)
    .await;
    match opened {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(Error::Busy),
        Err(error) => Err(doing("open the upgrade again")(error)),
    }
}

/// The number of tenants in each state.
pub async fn counts(tx: &mut PgConnection, id: UpgradeId) -> Result<UnitCounts> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where u.id = $1")))
        .bind(id.as_uuid())
        .fetch_one(tx)
        .await
        .map_err(doing("count the upgrade's tenants"))?;
    Ok(upgrade(&row)?.counts)
}
