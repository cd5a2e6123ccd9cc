//! Operations, their journal, and the idempotency keys that lead to them.

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::{BlueprintVersion, Slug, TargetName};
use tenantry_protocol::operation::{Operation, OperationKind, VersionChange};
use tenantry_protocol::tenant::TenantState;
use uuid::Uuid;

use crate::model::operation::Event;
use crate::model::stored::{StoredOperationState, StoredStep, StoredTenantState};

use super::tenants::{corrupt, read};
use crate::postgres::error::{Error, Result, doing};

/// A request's key: the same one from the same actor leads to the same operation.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey<'a> {
    pub actor: &'a str,
    pub method: &'a str,
    pub key: &'a str,
    /// SHA-256 of the request; another request under the same key is a conflict.
    pub request_digest: &'a [u8; 32],
}

/// What is stored with an operation for the daemon that takes it over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    pub plan_hash: Option<&'a str>,
    /// What was asked.
    pub arguments: Option<&'a serde_json::Value>,
    /// The tenant's state before it.
    pub state_before: Option<&'a TenantState>,
    pub epoch: i64,
}

/// Records operations that begin.
pub async fn insert(tx: &mut PgConnection, begun: &[(&Operation, Context<'_>)]) -> Result<()> {
    let operations = || begun.iter().map(|(operation, _)| *operation);
    let contexts = || begun.iter().map(|(_, context)| context);
    let states: Vec<_> = contexts()
        .map(|context| context.state_before.map(|state| Json(StoredTenantState(state.clone()))))
        .collect();
    sqlx::query(
        "insert into control.operation (id, tenant_id, kind, state, steps, actor, plan_hash, epoch, budget_ms, requested_at,
                                        arguments, state_before)
         select id, tenant_id, kind, state, steps, actor, plan_hash, epoch, budget_ms, requested_at,
                coalesce(arguments, '{}'::jsonb), state_before
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
                     $10::timestamptz[], $11::jsonb[], $12::jsonb[])
              as o (id, tenant_id, kind, state, steps, actor, plan_hash, epoch, budget_ms, requested_at, arguments, state_before)",
    )
    .bind(operations().map(|operation| operation.id.as_uuid()).collect::<Vec<_>>())
    .bind(operations().map(|operation| operation.tenant_id.as_uuid()).collect::<Vec<_>>())
    .bind(operations().map(|operation| operation.kind.name()).collect::<Vec<_>>())
    .bind(operations().map(|operation| operation.state.name()).collect::<Vec<_>>())
    .bind(operations().map(|operation| Json(StoredStep::all(&operation.steps))).collect::<Vec<_>>())
    .bind(operations().map(|operation| operation.actor.as_str()).collect::<Vec<_>>())
    .bind(contexts().map(|context| context.plan_hash).collect::<Vec<_>>())
    .bind(contexts().map(|context| context.epoch).collect::<Vec<_>>())
    .bind(operations().map(|operation| i64::try_from(operation.budget_ms).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(operations().map(|operation| operation.requested_at).collect::<Vec<_>>())
    .bind(contexts().map(|context| context.arguments.map(Json)).collect::<Vec<_>>())
    .bind(states)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("record the operation"))
}

/// Records where operations are: their states and steps as they are in `operations`. Once only: an attempt whose answer was
/// lost holds the rows until its COMMIT comes, however late, and the next one finds that it is on record.
pub async fn update(tx: &mut PgConnection, operations: &[&Operation]) -> Result<()> {
    let all = || operations.iter();
    let updated = sqlx::query(
        "update control.operation o set state = n.state, state_detail = n.detail, steps = n.steps,
                finished_at = case when n.is_final then o.requested_at + make_interval(secs => n.seconds) end
         from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[], $5::boolean[], $6::float8[])
              as n (id, state, detail, steps, is_final, seconds)
         where o.id = n.id and o.state <> n.state and o.state in ('queued', 'running', 'unwinding')",
    )
    .bind(all().map(|operation| operation.id.as_uuid()).collect::<Vec<_>>())
    .bind(all().map(|operation| operation.state.name()).collect::<Vec<_>>())
    .bind(all().map(|operation| Json(StoredOperationState::detail(&operation.state))).collect::<Vec<_>>())
    .bind(all().map(|operation| Json(StoredStep::all(&operation.steps))).collect::<Vec<_>>())
    .bind(all().map(|operation| operation.state.is_final()).collect::<Vec<_>>())
    // The daemon's own measure; the database's clock may be another machine's.
    .bind(all().map(|operation| operation.duration_ms.unwrap_or_default() / 1_000.0).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(doing("record the operation's progress"))?;
    if updated.rows_affected() == operations.len() as u64 {
        return Ok(());
    }
    let names: Vec<String> = all()
        .map(|operation| format!("{} cannot become {} any more", operation.id, operation.state.name()))
        .collect();
    Err(Error::Corrupt { what: "the operation's state", why: names.join(", or ") })
}

/// Adds to the journals of operations, for each in the order of its events.
pub async fn journal(tx: &mut PgConnection, events: &[(OperationId, &Event)]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into control.operation_event (operation_id, position, event)
         select n.id, coalesce((select max(position) from control.operation_event e where e.operation_id = n.id), 0)
                      + row_number() over (partition by n.id order by n.n), n.event
         from unnest($1::uuid[], $2::jsonb[]) with ordinality as n (id, event, n)",
    )
    .bind(events.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event)| Json(event)).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("write the journal"))
}

pub async fn insert_key(
    tx: &mut PgConnection,
    key: IdempotencyKey<'_>,
    operation: OperationId,
) -> Result<()> {
    sqlx::query(
        "insert into control.idempotency_key (actor, method, key, request_digest, operation_id) values ($1, $2, $3, $4, $5)",
    )
    .bind(key.actor)
    .bind(key.method)
    .bind(key.key)
    .bind(key.request_digest.as_slice())
    .bind(operation.as_uuid())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("record the idempotency key"))
}

/// The operation that a key led to before, and whether the request was the same.
pub async fn by_key(pool: &PgPool, key: IdempotencyKey<'_>) -> Result<Option<(OperationId, bool)>> {
    let found: Option<(Uuid, bool)> = sqlx::query_as(
        "select operation_id, request_digest = $4 from control.idempotency_key
         where actor = $1 and method = $2 and key = $3",
    )
    .bind(key.actor)
    .bind(key.method)
    .bind(key.key)
    .bind(key.request_digest.as_slice())
    .fetch_optional(pool)
    .await
    .map_err(doing("look for the idempotency key"))?;
    Ok(found.map(|(id, same)| (OperationId::from_uuid(id), same)))
}

/// An account of a failure from before such accounts were bounded is cut by the server. The limit is `LONGEST_ACCOUNT`, twice:
/// a failed undo comes behind what it was to undo.
const COLUMNS: &str = "
    select o.id, o.tenant_id, o.kind, o.state, o.steps, o.actor, o.requested_at, o.budget_ms, o.arguments, o.state_before,
           case when length(o.state_detail#>>'{failure,message}') > 8100
               then jsonb_set(o.state_detail, '{failure,message}', to_jsonb(left(o.state_detail#>>'{failure,message}', 8000) || '…'))
               else o.state_detail end as state_detail,
           t.slug, t.target,
           (extract(epoch from o.finished_at - o.requested_at) * 1000)::double precision as duration_ms
    from control.operation o join control.tenant t on t.id = o.tenant_id ";

pub async fn by_id(pool: &PgPool, id: OperationId) -> Result<Option<Operation>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where o.id = $1")))
        .bind(id.as_uuid())
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the operation"))?;
    row.as_ref().map(operation).transpose()
}

/// Which operations a list holds.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    pub slug: Option<String>,
    pub tenant: Option<TenantId>,
    pub unfinished: bool,
    /// Only older ones.
    pub before: Option<OperationId>,
}

/// Newest first.
pub async fn page(pool: &PgPool, filter: &OperationFilter, limit: i64) -> Result<Vec<Operation>> {
    let sql = format!(
        "{COLUMNS} where ($1::text is null or t.slug = $1) and ($2::uuid is null or o.tenant_id = $2)
         and (not $3 or o.state in ('queued', 'running', 'unwinding')) and ($4::uuid is null or o.id < $4)
         order by o.id desc limit $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(filter.slug.as_deref())
        .bind(filter.tenant.map(TenantId::as_uuid))
        .bind(filter.unfinished)
        .bind(filter.before.map(OperationId::as_uuid))
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(doing("list the operations"))?;
    rows.iter().map(operation).collect()
}

/// The operation that made a tenant.
pub async fn provision_of(pool: &PgPool, tenant: TenantId) -> Result<Option<OperationId>> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "select id from control.operation where tenant_id = $1 and kind = 'provision' order by id limit 1",
    )
    .bind(tenant.as_uuid())
    .fetch_optional(pool)
    .await
    .map_err(doing("look for the tenant's provisioning"))?;
    Ok(id.map(OperationId::from_uuid))
}

/// The upgrades of a tenant that were begun since an operation last gave it a version, the one that runs now among them.
pub async fn upgrades_since_version(pool: &PgPool, tenant: TenantId) -> Result<Vec<OperationId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select id from control.operation o
         where tenant_id = $1 and kind = 'upgrade'
           and not exists (select from control.operation l
                           where l.tenant_id = o.tenant_id and l.kind = 'upgrade' and l.state = 'succeeded' and l.id >= o.id)",
    )
    .bind(tenant.as_uuid())
    .fetch_all(pool)
    .await
    .map_err(doing("look for the tenant's upgrades"))?;
    Ok(ids.into_iter().map(OperationId::from_uuid).collect())
}

/// An operation with everything that is needed to take it up, or to do it again.
#[derive(Debug, Clone)]
pub struct StoredOperation {
    pub operation: Operation,
    pub arguments: serde_json::Value,
    pub state_before: Option<TenantState>,
    /// In the order in which it happened.
    pub journal: Vec<Event>,
}

/// The operation with its journal.
pub async fn stored(pool: &PgPool, id: OperationId) -> Result<Option<StoredOperation>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} where o.id = $1")))
        .bind(id.as_uuid())
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the operation"))?;
    let Some(row) = row else { return Ok(None) };
    let events: Vec<Json<serde_json::Value>> = sqlx::query_scalar(
        "select event from control.operation_event where operation_id = $1 order by position",
    )
    .bind(id.as_uuid())
    .fetch_all(pool)
    .await
    .map_err(doing("read the journal"))?;
    let journal = events.into_iter().map(|Json(event)| serde_json::from_value(event).map_err(corrupt));
    Ok(Some(StoredOperation {
        operation: operation(&row)?,
        arguments: read::<Json<_>>(&row, "arguments")?.0,
        state_before: read::<Option<Json<_>>>(&row, "state_before")?
            .map(|Json(StoredTenantState(state))| state),
        journal: journal.collect::<Result<_>>()?,
    }))
}

/// The tenant's state before an operation that needs attention, if `next_command` is what it named.
pub async fn before_attention(
    tx: &mut PgConnection,
    id: OperationId,
    next_command: &str,
) -> Result<Option<TenantState>> {
    let found: Option<Option<Json<StoredTenantState>>> = sqlx::query_scalar(
        "select state_before from control.operation
         where id = $1 and state = 'needs_attention' and state_detail ->> 'next_command' = $2",
    )
    .bind(id.as_uuid())
    .bind(next_command)
    .fetch_optional(tx)
    .await
    .map_err(doing("look where the tenant stood"))?;
    Ok(found.flatten().map(|Json(StoredTenantState(state))| state))
}

fn operation(row: &PgRow) -> Result<Operation> {
    let Json(detail) = read::<Json<serde_json::Value>>(row, "state_detail")?;
    let Json(steps) = read::<Json<Vec<StoredStep>>>(row, "steps")?;
    let kind = serde_json::Value::String(read(row, "kind")?);
    Ok(Operation {
        id: OperationId::from_uuid(read(row, "id")?),
        kind: serde_json::from_value::<OperationKind>(kind).map_err(corrupt)?,
        versions: versions(&read::<Json<_>>(row, "arguments")?.0),
        tenant_id: TenantId::from_uuid(read(row, "tenant_id")?),
        slug: Slug::parse(&read::<String>(row, "slug")?).map_err(corrupt)?,
        target: TargetName::parse(&read::<String>(row, "target")?).map_err(corrupt)?,
        state: StoredOperationState::read(read(row, "state")?, detail).map_err(corrupt)?,
        steps: steps.into_iter().map(|StoredStep(step)| step).collect(),
        actor: read(row, "actor")?,
        requested_at: read(row, "requested_at")?,
        duration_ms: read(row, "duration_ms")?,
        budget_ms: read::<i64>(row, "budget_ms")?.unsigned_abs(),
    })
}

/// The versions of an upgrade, from its arguments.
fn versions(arguments: &serde_json::Value) -> Option<VersionChange> {
    let version = |name| BlueprintVersion::parse(arguments.get(name)?.as_str()?).ok();
    Some(VersionChange { from: version("from")?, to: version("version")? })
}
