//! Rows of the audit trail: appending a link. Reading is [`super::audit_search`]'s.

use sqlx::{PgConnection, PgPool, Row as _};

use crate::model::audit_chain::{self, Sealed};

use super::error::{Error, Result, doing};

/// Appends one event to the chain; gives its `seq`. Call it last in a transaction: it locks the chain's head.
pub async fn append(tx: &mut PgConnection, sealed: &Sealed) -> Result<i64> {
    let head = sqlx::query("select seq, hash from control.audit_head for update")
        .fetch_one(&mut *tx)
        .await
        .map_err(doing("lock the audit trail's head"))?;
    let seq = head.try_get::<i64, _>("seq").map_err(doing("read the audit trail's head"))? + 1;
    let prev: Vec<u8> = head.try_get("hash").map_err(doing("read the audit trail's head"))?;
    let prev = prev
        .try_into()
        .map_err(|_| Error::Corrupt { what: "the audit head's hash", why: "not 32 bytes".into() })?;
    let hash = audit_chain::link(seq, &prev, &sealed.payload);
    // Make room ahead of time: a full partition must never refuse a mutation.
    if seq % PARTITION_CHECK == 1 {
        sqlx::query("select control.ensure_audit_partition($1)")
            .bind(seq + PARTITION_CHECK)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the audit trail's next partition"))?;
    }
    sqlx::query(
        "with event as (insert into control.audit_event (seq, prev_hash, payload, hash) values ($1, $2, $3, $4)),
         detail as (insert into control.audit_detail (seq, field, value, salt)
                    select $1, field, value, salt from unnest($5::text[], $6::text[], $7::bytea[]) as d(field, value, salt))
         update control.audit_head set seq = $1, hash = $4",
    )
    .bind(seq)
    .bind(prev.as_slice())
    .bind(&sealed.payload)
    .bind(hash.as_slice())
    .bind(sealed.details.iter().map(|d| d.field).collect::<Vec<_>>())
    .bind(sealed.details.iter().map(|d| d.value.as_str()).collect::<Vec<_>>())
    .bind(sealed.details.iter().map(|d| d.salt.as_slice()).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(doing("append to the audit trail"))?;
    Ok(seq)
}

/// Events between looks at whether the next partition is there; less than a partition holds.
const PARTITION_CHECK: i64 = 1_000;

/// `seq` of the newest event; 0 in an empty trail.
pub async fn head_seq(pool: &PgPool) -> Result<i64> {
    sqlx::query_scalar("select seq from control.audit_head")
        .fetch_one(pool)
        .await
        .map_err(doing("read the audit trail's head"))
}
