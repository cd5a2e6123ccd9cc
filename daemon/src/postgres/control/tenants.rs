//! Tenants in the registry.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool, Row as _};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::brief::{self, LONGEST_ACCOUNT};
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::IsolationBadge;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName, Slug, TargetName};
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::tenant::{CredentialsIssued, LastOperation, Tenant, TenantState};
use uuid::Uuid;

use crate::model::stored::StoredTenantState;
use crate::postgres::error::{Error, Result, doing};

/// A tenant as it is first written.
#[derive(Debug, Clone)]
pub struct NewTenant {
    pub id: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub labels: BTreeMap<String, String>,
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    pub tenancy: Tenancy,
    pub target: TargetName,
    pub placement: PlacementName,
    pub settings: BTreeMap<String, i64>,
}

impl NewTenant {
    pub const fn made_of(&self) -> (&BlueprintName, BlueprintVersion) {
        (&self.blueprint, self.version)
    }
}

/// Which tenants a list holds.
#[derive(Debug, Clone, Default)]
pub struct TenantFilter {
    /// By name; all but the ended ones if empty.
    pub states: Vec<String>,
    /// The ended ones too.
    pub all: bool,
}

/// Where a page begins: after this tenant.
pub type Cursor = (String, Uuid);

/// Registers a tenant; `build` is the key of the marker that its first build will have.
pub async fn insert(tx: &mut PgConnection, tenant: &NewTenant, build: OperationId) -> Result<()> {
    sqlx::query(
        // An open upgrade of the blueprint does not end while a tenant is being registered that may be behind.
        "with held as (select from control.upgrade where blueprint = $5 and state in ('rehearsing', 'running', 'paused') for share)
         insert into control.tenant (id, slug, display_name, labels, blueprint, major, minor, target, placement, settings, state,
                                     build_id, tenancy)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                 case when (select count(*) from held) >= 0 then 'provisioning' end, $11, $12)",
    )
    .bind(tenant.id.as_uuid())
    .bind(tenant.slug.as_str())
    .bind(&tenant.display_name)
    .bind(Json(&tenant.labels))
    .bind(tenant.blueprint.as_str())
    .bind(i32::from(tenant.version.major()))
    .bind(i32::from(tenant.version.minor()))
    .bind(tenant.target.as_str())
    .bind(tenant.placement.as_str())
    .bind(Json(&tenant.settings))
    .bind(build.as_uuid())
    .bind(tenant.tenancy.name())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("register the tenant"))
}

/// The key of the marker of a tenant's build.
pub async fn build_of(pool: &PgPool, id: TenantId) -> Result<Option<OperationId>> {
    let build: Option<Uuid> = sqlx::query_scalar("select build_id from control.tenant where id = $1")
        .bind(id.as_uuid())
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the tenant's build"))?;
    Ok(build.map(OperationId::from_uuid))
}

/// Another build begins, under another marker.
pub async fn set_build(tx: &mut PgConnection, id: TenantId, build: OperationId) -> Result<()> {
    sqlx::query("update control.tenant set build_id = $2 where id = $1")
        .bind(id.as_uuid())
        .bind(build.as_uuid())
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(doing("note the tenant's new build"))
}

/// The states of tenants, in the order of their ids. They stay what they are until the transaction ends.
pub async fn hold_states(tx: &mut PgConnection, ids: &[TenantId]) -> Result<Vec<(TenantId, TenantState)>> {
    let rows = sqlx::query(
        "select id, state, state_detail from control.tenant where id = any ($1) order by id for update",
    )
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(doing("hold the tenant's state"))?;
    rows.iter().map(|row| Ok((TenantId::from_uuid(read(row, "id")?), state_of(row)?))).collect()
}

/// Moves a tenant to `state`, if it is in one of `from`; otherwise nothing changes and the answer is false.
pub async fn set_state(
    tx: &mut PgConnection,
    id: TenantId,
    from: &[TenantStage],
    state: &TenantState,
) -> Result<bool> {
    let changed = sqlx::query(
        "update control.tenant set state = $3, state_detail = $4, purge_after = $5, updated_at = now()
         where id = $1 and state = any($2)",
    )
    .bind(id.as_uuid())
    .bind(from.iter().map(|stage| stage.name()).collect::<Vec<_>>())
    .bind(state.name())
    .bind(Json(StoredTenantState::detail(state)))
    .bind(match state {
        TenantState::Retiring { purge_after } => *purge_after,
        _ => None,
    })
    .execute(tx)
    .await
    .map_err(doing("change the tenant's state"))?;
    Ok(changed.rows_affected() == 1)
}

/// Retired tenants with the end of their grace, the first one first, as far as nothing is being done to them.
pub async fn to_purge(pool: &PgPool) -> Result<Vec<(TenantId, time::OffsetDateTime)>> {
    let rows: Vec<(Uuid, time::OffsetDateTime)> = sqlx::query_as(
        "select t.id, t.purge_after from control.tenant t
         where t.state = 'retiring' and t.purge_after is not null
           and not exists (select from control.operation o
                           where o.tenant_id = t.id and o.state in ('queued', 'running', 'unwinding'))
         order by t.purge_after limit 1000",
    )
    .fetch_all(pool)
    .await
    .map_err(doing("look for retired tenants"))?;
    Ok(rows.into_iter().map(|(id, purge_after)| (TenantId::from_uuid(id), purge_after)).collect())
}

/// The living tenant whose whole verification is the oldest, if it is older than `before` and nothing is being done to the
/// tenant; and how many there are that have to be verified from time to time.
pub async fn to_verify(pool: &PgPool, before: time::OffsetDateTime) -> Result<(Option<TenantId>, u64)> {
    let (id, count): (Option<Uuid>, i64) = sqlx::query_as(
        "select (select t.id from control.tenant t
                 where t.state in ('active', 'suspended') and (t.isolation_full_at is null or t.isolation_full_at < $1)
                   and not exists (select from control.operation o
                                   where o.tenant_id = t.id and o.state in ('queued', 'running', 'unwinding'))
                 order by t.isolation_full_at nulls first limit 1),
                (select count(*) from control.tenant where state in ('active', 'suspended'))",
    )
    .bind(before)
    .fetch_one(pool)
    .await
    .map_err(doing("look for tenants to verify"))?;
    Ok((id.map(TenantId::from_uuid), count.unsigned_abs()))
}

/// Replaces what an operator chose of a tenant.
pub async fn update(
    tx: &mut PgConnection,
    id: TenantId,
    display_name: &str,
    labels: &BTreeMap<String, String>,
    settings: &BTreeMap<String, i64>,
) -> Result<()> {
    sqlx::query(
        "update control.tenant set display_name = $2, labels = $3, settings = $4, updated_at = now() where id = $1",
    )
    .bind(id.as_uuid())
    .bind(display_name)
    .bind(Json(labels))
    .bind(Json(settings))
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("update the tenant"))
}

/// Notes that a secret was issued for a login. Another login that was current until now works on beside it.
pub async fn set_credentials_issued(tx: &mut PgConnection, id: TenantId, role: &str) -> Result<()> {
    sqlx::query(
        "update control.tenant set credentials_role = $2, credentials_issued_at = now(), updated_at = now(),
                credentials_previous_role =
                    case when credentials_role <> $2 then credentials_role else credentials_previous_role end
         where id = $1",
    )
    .bind(id.as_uuid())
    .bind(role)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("note that credentials were issued"))
}

/// Notes that only the newest login is left.
pub async fn set_rotation_finished(tx: &mut PgConnection, id: TenantId) -> Result<()> {
    sqlx::query(
        "update control.tenant set credentials_previous_role = null, updated_at = now() where id = $1",
    )
    .bind(id.as_uuid())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("note the end of the rotation"))
}

const COLUMNS: &str = "
    select t.*, o.id as operation_id, o.kind as operation_kind, o.state as operation_state, o.requested_at
    from control.tenant t
    left join lateral (select id, kind, state, requested_at from control.operation
                       where tenant_id = t.id order by id desc limit 1) o on true ";

/// The tenant of this name that lives, else the newest that had it.
pub async fn by_slug(pool: &PgPool, slug: &str) -> Result<Option<Tenant>> {
    let sql = format!(
        "{COLUMNS} where t.slug = $1 order by (t.state not in ('rolled_back', 'retired')) desc, t.id desc limit 1"
    );
    one(sqlx::query(sqlx::AssertSqlSafe(sql)).bind(slug).fetch_optional(pool).await)
}

pub async fn by_id(pool: &PgPool, id: TenantId) -> Result<Option<Tenant>> {
    Ok(by_ids(pool, &[id]).await?.pop())
}

pub async fn by_ids(executor: impl sqlx::PgExecutor<'_>, ids: &[TenantId]) -> Result<Vec<Tenant>> {
    let sql = format!("{COLUMNS} where t.id = any ($1)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
        .fetch_all(executor)
        .await
        .map_err(doing("look for the tenant"))?;
    rows.iter().map(tenant).collect()
}

/// A page of tenants by slug, the newest of a name first.
pub async fn page(
    pool: &PgPool,
    filter: &TenantFilter,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<Tenant>> {
    const MATCH: &str =
        "($1::text[] = '{}' and ($2 or t.state not in ('rolled_back', 'retired')) or t.state = any($1))";
    let sql = format!(
        "{COLUMNS} where {MATCH} and ($3::text is null or t.slug >= $3 and (t.slug > $3 or t.id < $4))
         order by t.slug, t.id desc limit $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&filter.states)
        .bind(filter.all)
        .bind(after.map(|(slug, _)| slug.as_str()))
        .bind(after.map(|(_, id)| *id))
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(doing("list the tenants"))?;
    rows.iter().map(tenant).collect()
}

fn one(row: Result<Option<PgRow>, sqlx::Error>) -> Result<Option<Tenant>> {
    row.map_err(doing("look for the tenant"))?.as_ref().map(tenant).transpose()
}

fn tenant(row: &PgRow) -> Result<Tenant> {
    let last_operation = match read::<Option<Uuid>>(row, "operation_id")? {
        None => None,
        Some(id) => Some(LastOperation {
            id: OperationId::from_uuid(id),
            kind: read(row, "operation_kind")?,
            state: read(row, "operation_state")?,
            requested_at: read(row, "requested_at")?,
        }),
    };
    let credentials = match read::<Option<String>>(row, "credentials_role")? {
        None => None,
        Some(role) => Some(CredentialsIssued {
            role,
            issued_at: read(row, "credentials_issued_at")?,
            previous_role: read(row, "credentials_previous_role")?,
        }),
    };
    Ok(Tenant {
        id: TenantId::from_uuid(read(row, "id")?),
        slug: Slug::parse(&read::<String>(row, "slug")?).map_err(corrupt)?,
        display_name: read(row, "display_name")?,
        labels: read::<Json<_>>(row, "labels")?.0,
        blueprint: BlueprintName::parse(&read::<String>(row, "blueprint")?).map_err(corrupt)?,
        version: version(row)?,
        tenancy: serde_json::from_value(read::<String>(row, "tenancy")?.into()).map_err(corrupt)?,
        target: TargetName::parse(&read::<String>(row, "target")?).map_err(corrupt)?,
        placement: PlacementName::parse(&read::<String>(row, "placement")?).map_err(corrupt)?,
        settings: read::<Json<_>>(row, "settings")?.0,
        state: state_of(row)?,
        created_at: read(row, "created_at")?,
        updated_at: read(row, "updated_at")?,
        credentials,
        isolation: badge(row)?,
        last_operation,
    })
}

/// The newest verdict, in the columns `isolation_…`.
fn badge(row: &PgRow) -> Result<Option<IsolationBadge>> {
    let Some(at) = read::<Option<time::OffsetDateTime>>(row, "isolation_at")? else { return Ok(None) };
    let word = |column| read::<String>(row, column).map(serde_json::Value::from);
    Ok(Some(IsolationBadge {
        grade: serde_json::from_value(word("isolation_grade")?).map_err(corrupt)?,
        depth: serde_json::from_value(word("isolation_depth")?).map_err(corrupt)?,
        at,
    }))
}

/// The version in the columns `major` and `minor`.
pub(super) fn version(row: &PgRow) -> Result<BlueprintVersion> {
    let part = |column| read::<i32>(row, column).and_then(|n| u16::try_from(n).map_err(corrupt));
    Ok(BlueprintVersion::new(part("major")?, part("minor")?))
}

fn state_of(row: &PgRow) -> Result<TenantState> {
    let Json(mut detail) = read::<Json<serde_json::Value>>(row, "state_detail")?;
    if let Some(object) = detail.as_object_mut() {
        // From before accounts of failures were bounded.
        if let Some(serde_json::Value::String(reason)) = object.get_mut("reason") {
            *reason = brief::cut(reason, 2 * LONGEST_ACCOUNT);
        }
    }
    StoredTenantState::read(read(row, "state")?, detail).map_err(corrupt)
}

pub(super) fn read<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    column: &'static str,
) -> Result<T> {
    row.try_get(column).map_err(doing("read a row of the registry"))
}

pub(super) fn corrupt(error: impl std::fmt::Display) -> Error {
    Error::Corrupt { what: "a row of the registry", why: error.to_string() }
}
