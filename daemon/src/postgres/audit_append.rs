//! The end of the audit chain: reading it, holding it, and adding an event to it.
//!
//! Call [`lock_head`] last in a transaction: whoever holds the head keeps every other mutation waiting.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use tenantry_protocol::chain::Link;
use uuid::Uuid;

use crate::model::audit_chain::Detail;

use super::error::{Error, Result, doing};

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub trail: Uuid,
    /// 0 in an empty trail.
    pub seq: i64,
    pub hash: Link,
    /// Absent until a daemon has begun to sign.
    pub signature: Option<Signature>,
}

/// Of a key, over a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub key: String,
    pub bytes: Vec<u8>,
}

/// An event with its place in the chain.
#[derive(Debug)]
pub struct NewEvent<'a> {
    pub seq: i64,
    pub prev: &'a Link,
    pub payload: &'a [u8],
    pub hash: &'a Link,
    pub details: &'a [Detail],
    pub signature: &'a Signature,
    /// Whether the signature stays when the head moves on.
    pub is_checkpoint: bool,
}

/// Events between looks at whether the next partition is there; less than a partition holds.
const PARTITION_CHECK: i64 = 1_000;

/// The chain's end, and the number of the transaction that from now on is the only one that can move it.
pub async fn lock_head(tx: &mut PgConnection) -> Result<(Head, String)> {
    let row = sqlx::query(
        "select trail, seq, hash, key, signature, pg_current_xact_id()::text as xid from control.audit_head for update",
    )
    .fetch_one(tx)
    .await
    .map_err(doing("lock the audit trail's head"))?;
    Ok((head_of(&row)?, row.try_get("xid").map_err(doing("read the transaction's number"))?))
}

/// The chain's end, without holding it.
pub async fn head(pool: &PgPool) -> Result<Head> {
    let mut connection = pool.acquire().await.map_err(doing("read the audit trail's head"))?;
    head_in(&mut connection).await
}

/// As [`head`], in a session's own snapshot.
pub async fn head_in(connection: &mut PgConnection) -> Result<Head> {
    let row = sqlx::query("select trail, seq, hash, key, signature from control.audit_head")
        .fetch_one(connection)
        .await
        .map_err(doing("read the audit trail's head"))?;
    head_of(&row)
}

/// When an event was, in microseconds since 1970; absent if it is not there.
pub async fn time_of(pool: &PgPool, seq: i64) -> Result<Option<i64>> {
    sqlx::query_scalar("select at_us from control.audit_event where seq = $1")
        .bind(seq)
        .fetch_optional(pool)
        .await
        .map_err(doing("read an audit event"))
}

/// The bytes of one event.
pub async fn payload(pool: &PgPool, seq: i64) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar("select payload from control.audit_event where seq = $1")
        .bind(seq)
        .fetch_optional(pool)
        .await
        .map_err(doing("read an audit event"))
}

fn head_of(row: &PgRow) -> Result<Head> {
    let read = || -> Result<_, sqlx::Error> {
        let signature = match (row.try_get("key")?, row.try_get("signature")?) {
            (Some(key), Some(bytes)) => Some(Signature { key, bytes }),
            _ => None,
        };
        Ok((row.try_get("trail")?, row.try_get("seq")?, row.try_get::<Vec<u8>, _>("hash")?, signature))
    };
    let (trail, seq, hash, signature) = read().map_err(doing("read the audit trail's head"))?;
    Ok(Head { trail, seq, hash: link_of(&hash)?, signature })
}

/// A hash as it is stored.
pub fn link_of(hash: &[u8]) -> Result<Link> {
    hash.try_into()
        .map_err(|_| Error::Corrupt { what: "a hash of the audit trail", why: "not 32 bytes".into() })
}

/// Appends one event and moves the head, which must be locked.
pub async fn append(tx: &mut PgConnection, event: &NewEvent<'_>) -> Result<()> {
    // Make room ahead of time: a full partition must never refuse a mutation.
    if event.seq % PARTITION_CHECK == 1 {
        sqlx::query("select control.ensure_audit_partition($1)")
            .bind(event.seq + PARTITION_CHECK)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the audit trail's next partition"))?;
    }
    sqlx::query(
        "with event as (insert into control.audit_event (seq, prev_hash, payload, hash) values ($1, $2, $3, $4)),
         detail as (insert into control.audit_detail (seq, field, value, salt)
                    select $1, field, value, salt from unnest($5::text[], $6::text[], $7::bytea[]) as d(field, value, salt)),
         checkpoint as (insert into control.audit_checkpoint (seq, hash, key, signature)
                        select $1, $4, $8, $9 where $10)
         update control.audit_head set seq = $1, hash = $4, key = $8, signature = $9",
    )
    .bind(event.seq)
    .bind(event.prev.as_slice())
    .bind(event.payload)
    .bind(event.hash.as_slice())
    .bind(event.details.iter().map(|d| d.field).collect::<Vec<_>>())
    .bind(event.details.iter().map(|d| d.value.as_str()).collect::<Vec<_>>())
    .bind(event.details.iter().map(|d| d.salt.as_slice()).collect::<Vec<_>>())
    .bind(&event.signature.key)
    .bind(&event.signature.bytes)
    .bind(event.is_checkpoint)
    .execute(tx)
    .await
    .map_err(doing("append to the audit trail"))?;
    Ok(())
}
