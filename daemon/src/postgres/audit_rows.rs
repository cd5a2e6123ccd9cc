//! Rows of the audit trail, read in pages.

use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use tenantry_protocol::audit::AuditEvent;
use time::OffsetDateTime;
use uuid::Uuid;

use super::error::{Result, doing};

/// `seq` of the newest event; 0 in an empty trail.
pub async fn head_seq(pool: &PgPool) -> Result<i64> {
    sqlx::query_scalar("select seq from control.audit_head")
        .fetch_one(pool)
        .await
        .map_err(doing("read the audit trail's head"))
}

/// The event that names a key, by its public half in hexadecimal.
pub async fn key_since(pool: &PgPool, key: &str) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "select max(seq) from control.audit_event
         where action in ('audit.begin', 'audit.key_change', 'audit.acknowledge')
           and control.audit_json(payload) -> 'facts' ->> 'key' = $1",
    )
    .bind(key)
    .fetch_one(pool)
    .await
    .map_err(doing("look for the key's beginning"))
}

/// A page of events before `before`, newest first; with `slug`, those of every tenant that had this name. An event with
/// a name has its tenant too, and by the tenant there is an index: by the name the whole trail would be read.
pub async fn page(
    pool: &PgPool,
    slug: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AuditEvent>> {
    let rows = sqlx::query(
        "select e.seq, e.prev_hash, e.hash, e.at_us, e.action, e.operation_id, e.outcome,
                (convert_from(e.payload, 'UTF8')::jsonb ->> 'duration_us')::bigint as duration_us,
                (select value from control.audit_detail d where d.seq = e.seq and d.field = 'actor') as actor,
                (select value from control.audit_detail d where d.seq = e.seq and d.field = 'slug') as slug
         from control.audit_event e
         where ($1::text is null or e.tenant_id = any(array(select id from control.tenant where slug = $1)))
           and ($2::bigint is null or e.seq < $2)
         order by e.seq desc limit $3",
    )
    .bind(slug)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(doing("read the audit trail"))?;
    rows.iter().map(event).collect::<Result<_, sqlx::Error>>().map_err(doing("read an audit event"))
}

fn event(row: &PgRow) -> Result<AuditEvent, sqlx::Error> {
    let at_us: i64 = row.try_get("at_us")?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_us) * 1_000)
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let hex = |column| row.try_get::<Vec<u8>, _>(column).map(|bytes| data_encoding::HEXLOWER.encode(&bytes));
    Ok(AuditEvent {
        seq: row.try_get("seq")?,
        at,
        // A redacted name leaves the uid in the payload; the list shows that it is gone.
        actor: row.try_get::<Option<String>, _>("actor")?.unwrap_or_else(|| "(redacted)".to_owned()),
        action: row.try_get("action")?,
        slug: row.try_get("slug")?,
        operation_id: row.try_get::<Option<Uuid>, _>("operation_id")?.map(|id| id.to_string()),
        outcome: row.try_get("outcome")?,
        duration_ms: row.try_get::<Option<i64>, _>("duration_us")?.map(|us| us as f64 / 1_000.0),
        actor_uid: None,
        role: None,
        claimed: None,
        tenant_id: None,
        detail: None,
        request: None,
        facts: std::collections::BTreeMap::new(),
        redacted: Vec::new(),
        intact: true,
        prev_hash: hex("prev_hash")?,
        hash: hex("hash")?,
    })
}
