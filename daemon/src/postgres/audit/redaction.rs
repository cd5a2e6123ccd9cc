//! Redaction: personal values beside the events are deleted, and the same names in the registry are replaced by neutral ones.
//!
//! The events stay and the chain still verifies, because it contains only commitments.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::postgres::error::{Result, doing};

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    pub events: i64,
    pub values: i64,
}

/// The tenants that have or had a name, with their states. Their rows are locked until the transaction ends.
pub async fn tenants_named(tx: &mut PgConnection, slug: &str) -> Result<Vec<(Uuid, String)>> {
    sqlx::query_as("select id, state from control.tenant where slug = $1 order by id for update")
        .bind(slug)
        .fetch_all(tx)
        .await
        .map_err(doing("look for the tenants of this name"))
}

/// The holds that protect the names of a tenant.
pub async fn holds_on_tenant(tx: &mut PgConnection, slug: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from control.audit_hold where released_at is null and (slug is null or slug = $1) order by name",
    )
    .bind(slug)
    .fetch_all(tx)
    .await
    .map_err(doing("look for holds"))
}

/// The holds that protect an event of these actors.
pub async fn holds_on_actors(tx: &mut PgConnection, actors: &[String]) -> Result<Vec<String>> {
    sqlx::query_scalar(
        r#"select h.name from control.audit_hold h
           where h.released_at is null and (h.slug is null or exists (
               select from control.tenant t
               join control.audit_event e on e.tenant_id = t.id
               join control.audit_detail d on d.seq = e.seq and d.field = 'actor'
               where t.slug = h.slug and d.value collate "C" = any($1)))
           order by h.name"#,
    )
    .bind(actors)
    .fetch_all(tx)
    .await
    .map_err(doing("look for holds"))
}

/// Deletes the names and free text in all events of these tenants, and their name in other events that have it in a field.
pub async fn redact_tenants(tx: &mut PgConnection, tenants: &[Uuid], slug: &str) -> Result<Gone> {
    let of_events: (i64, i64) = sqlx::query_as(
        "with gone as (
             delete from control.audit_detail d
             using control.audit_event e
             where e.tenant_id = any($1) and d.seq = e.seq and d.field in ('slug', 'detail')
             returning d.seq)
         select count(distinct seq) as events, count(*) as values from gone",
    )
    .bind(tenants)
    .fetch_one(&mut *tx)
    .await
    .map_err(doing("redact a tenant's events"))?;
    let elsewhere: (i64, i64) = sqlx::query_as(
        "with gone as (
             delete from control.audit_detail d
             using control.audit_event e
             where e.action in ('audit.export', 'audit.export.intent', 'audit.hold', 'audit.release') and e.tenant_id is null
               and d.seq = e.seq and d.field = 'slug' and d.value = $1
             returning d.seq)
         select count(distinct seq) as events, count(*) as values from gone",
    )
    .bind(slug)
    .fetch_one(tx)
    .await
    .map_err(doing("redact what names a tenant"))?;
    Ok(Gone { events: of_events.0 + elsewhere.0, values: of_events.1 + elsewhere.1 })
}

/// Gives the tenants neutral names, clears their labels and the arguments of their operations, and
/// removes the name from sentences.
pub async fn rename_tenants(tx: &mut PgConnection, tenants: &[Uuid], slug: &str) -> Result<()> {
    sqlx::query(
        "with freed as (
             update control.audit_hold set slug = 'redacted', reason = 'redacted' where slug = $2 and released_at is not null)
         update control.tenant
         set slug = 'redacted-' || right(id::text, 12), display_name = 'redacted-' || right(id::text, 12), labels = '{}',
             updated_at = now()
         where id = any($1)",
    )
    .bind(tenants)
    .bind(slug)
    .execute(&mut *tx)
    .await
    .map_err(doing("take the tenant's name out of the registry"))?;
    let operations: Vec<(Uuid, Value, Value)> =
        sqlx::query_as("select id, state_detail, steps from control.operation where tenant_id = any($1)")
            .bind(tenants)
            .fetch_all(&mut *tx)
            .await
            .map_err(doing("read the operations that name the tenant"))?;
    for (id, mut state, mut steps) in operations {
        take_out(&mut state, slug);
        take_out(&mut steps, slug);
        sqlx::query(
            "update control.operation set arguments = '{}', state_detail = $2, steps = $3 where id = $1",
        )
        .bind(id)
        .bind(state)
        .bind(steps)
        .execute(&mut *tx)
        .await
        .map_err(doing("take the tenant's name out of an operation"))?;
    }
    Ok(())
}

/// Replaces the name by `redacted` in sentences. A text without a space is a code or an id, and stays.
fn take_out(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if text.contains(' ') => *text = text.replace(name, "redacted"),
        Value::Array(values) => values.iter_mut().for_each(|value| take_out(value, name)),
        Value::Object(values) => values.values_mut().for_each(|value| take_out(value, name)),
        _ => {}
    }
}

/// Deletes the name and the claimed origin of these actors in all events.
pub async fn redact_actors(tx: &mut PgConnection, actors: &[String]) -> Result<Gone> {
    let (events, values): (i64, i64) = sqlx::query_as(
        r#"with gone as (
               delete from control.audit_detail d
               using control.audit_detail a
               where a.field = 'actor' and a.value collate "C" = any($1) and d.seq = a.seq and d.field in ('actor', 'claimed')
               returning d.seq)
           select count(distinct seq) as events, count(*) as values from gone"#,
    )
    .bind(actors)
    .fetch_one(tx)
    .await
    .map_err(doing("redact an actor's events"))?;
    Ok(Gone { events, values })
}

/// Removes the actors' names from the registry: from finished operations, and from holds.
pub async fn rename_actors(tx: &mut PgConnection, actors: &[String]) -> Result<()> {
    sqlx::query(
        "with held as (update control.audit_hold set placed_by = '(redacted)' where placed_by = any($1))
         update control.operation set actor = '(redacted)' where actor = any($1) and finished_at is not null",
    )
    .bind(actors)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("take the actor's name out of the registry"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_goes_out_of_sentences_and_leaves_codes_alone() {
        let mut value = json!({"failed": ["failed", {"message": "role of failed: failed"}], "n": 1});
        take_out(&mut value, "failed");
        assert_eq!(value, json!({"failed": ["failed", {"message": "role of redacted: redacted"}], "n": 1}));
    }
}
