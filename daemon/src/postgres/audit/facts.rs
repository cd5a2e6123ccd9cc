//! Single facts about the audit trail. Reading its events is [`super::search`]'s.

use sqlx::PgPool;

use crate::postgres::error::{Result, doing};

/// `seq` of the newest event that is there; 0 in an empty trail. What the head says of it is for whoever writes: one that
/// was changed must hide no event from whoever reads.
pub async fn head_seq(executor: impl sqlx::PgExecutor<'_>) -> Result<i64> {
    sqlx::query_scalar("select coalesce(max(seq), 0) from control.audit_event")
        .fetch_one(executor)
        .await
        .map_err(doing("look for the newest audit event"))
}

/// The first event that a key signed, by its public half in hexadecimal: the one that names it, or after a change the next.
pub async fn key_since(pool: &PgPool, key: &str) -> Result<Option<i64>> {
    sqlx::query_scalar(
        "select max(case action when 'audit.key_change' then seq + 1 else seq end) from control.audit_event
         where action in ('audit.begin', 'audit.key_change', 'audit.acknowledge')
           and control.audit_json(payload) -> 'facts' ->> 'key' = $1",
    )
    .bind(key)
    .fetch_one(pool)
    .await
    .map_err(doing("look for the key's beginning"))
}
