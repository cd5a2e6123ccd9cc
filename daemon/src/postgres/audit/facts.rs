//! Single facts about the audit trail. Its events are read by [`super::search`].

use sqlx::PgPool;

use crate::postgres::error::{Result, doing};

/// `seq` of the newest event that exists; 0 in an empty trail. Only writers use what the head says, because a manipulated head
/// must not hide any event from readers.
pub async fn head_seq(executor: impl sqlx::PgExecutor<'_>) -> Result<i64> {
    sqlx::query_scalar("select coalesce(max(seq), 0) from control.audit_event")
        .fetch_one(executor)
        .await
        .map_err(doing("look for the newest audit event"))
}

/// The first event that a key signed, by the key's public half in hexadecimal. It is the event that names the key or, after a
/// change of the key, the one after it.
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
