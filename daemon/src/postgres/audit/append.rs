//! The end of the audit chain: reading it, locking it, and appending an event to it, if it stands.
//!
//! Call [`lock_head`] last in a transaction, because every other change waits while the head is locked.

use std::sync::LazyLock;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use tenantry_protocol::chain::Link;
use uuid::Uuid;

use crate::model::audit_chain::Detail;

use crate::postgres::error::{Error, Result, doing};

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub trail: Uuid,
    /// 0 in an empty trail.
    pub seq: i64,
    pub hash: Link,
    /// Absent until a daemon begins to sign.
    pub signature: Option<Signature>,
}

/// The signature of a key over a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub key: String,
    pub bytes: Vec<u8>,
}

/// An event and its place in the chain.
#[derive(Debug)]
pub struct NewEvent<'a> {
    pub seq: i64,
    pub previous: Link,
    pub payload: &'a [u8],
    pub hash: Link,
    pub details: &'a [Detail],
    /// Stays when the head moves on.
    pub checkpoint: Option<Signature>,
}

/// How many events are appended between two checks that the next partition exists. A partition holds more than this.
const PARTITION_CHECK: i64 = 1_000;

/// The SQL condition that the trail stands at its end, as far as its last rows can tell. The last event must be the
/// head's event, be complete and have its own values, and nothing may come after it. `seq`, `hash`, `key` and
/// `signature` are those of the head.
fn stands([seq, hash, key, signature]: [&str; 4]) -> String {
    // Looks only at the newest row of each table. An index finds that row for all parameters, so that a generic
    // plan never reads a whole table.
    format!(
        "coalesce((select max(seq) from control.audit_detail), 0) <= {seq}
         and not exists (
             select from (select seq, hash, key, signature from control.audit_checkpoint order by seq desc limit 1) c
             where c.seq >= {seq} and (c.seq, c.hash, c.key, c.signature) is distinct from ({seq}, {hash}, {key}, {signature}))
         and case when {seq} = 0 then not exists (select from control.audit_event) else exists (
             select from (select seq, prev_hash, payload, hash from control.audit_event order by seq desc limit 1) e
             where e.seq = {seq} and e.hash = {hash}
               and e.hash = sha256('\\x{LINK_DOMAIN}'::bytea || int8send(e.seq) || e.prev_hash
                                   || int8send(octet_length(e.payload)) || e.payload)
               and not exists (
                   select from control.audit_detail d
                   where d.seq = {seq} and encode(sha256(d.salt || convert_to(d.value, 'UTF8')), 'hex')
                         is distinct from convert_from(e.payload, 'UTF8')::jsonb -> 'commitments' ->> d.field)) end"
    )
}

/// `tenantry.audit.v1` and a zero byte, in hexadecimal.
const LINK_DOMAIN: &str = "74656e616e7472792e61756469742e763100";

/// Locks the chain's end. Also returns the id of this transaction, which is now the only one that can move the end. `None` if
/// the head is not exactly one row.
pub async fn lock_head(tx: &mut PgConnection) -> Result<Option<(Head, String)>> {
    let rows = sqlx::query(
        "select trail, seq, hash, key, signature, pg_current_xact_id()::text as xid from control.audit_head for update",
    )
    .fetch_all(tx)
    .await
    .map_err(doing("lock the audit trail's head"))?;
    let [row] = rows.as_slice() else { return Ok(None) };
    Ok(Some((head_of(row)?, row.try_get("xid").map_err(doing("read the transaction's number"))?)))
}

/// Reads the chain's end without locking it; `None` if the head is not exactly one row.
pub async fn head(pool: &PgPool) -> Result<Option<Head>> {
    let mut connection = Box::pin(pool.acquire()).await.map_err(doing("read the audit trail's head"))?;
    Ok(only(heads_in(&mut connection).await?))
}

/// The head, if there is exactly one.
pub fn only(mut heads: Vec<Head>) -> Option<Head> {
    heads.pop().filter(|_| heads.is_empty())
}

/// The head's rows as this session's snapshot shows them. There is one row, unless somebody has changed them.
pub async fn heads_in(connection: &mut PgConnection) -> Result<Vec<Head>> {
    let rows = sqlx::query("select trail, seq, hash, key, signature from control.audit_head limit 2")
        .fetch_all(connection)
        .await
        .map_err(doing("read the audit trail's head"))?;
    rows.iter().map(head_of).collect()
}

/// The head of a trail that stands at its end; `None` if the head is not exactly one row, or if the end does not stand.
pub async fn standing_head(executor: impl sqlx::PgExecutor<'_>) -> Result<Option<Head>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let of_head =
            ["seq", "hash", "key", "signature"].map(|column| format!("(select {column} from h limit 1)"));
        let stands = stands(of_head.each_ref().map(String::as_str));
        format!(
            "with h as materialized (select trail, seq, hash, key, signature from control.audit_head limit 2)
             select trail, seq, hash, key, signature from h where (select count(*) from h) = 1 and {stands}"
        )
    });
    let row = sqlx::query(sqlx::AssertSqlSafe(SQL.as_str()))
        .fetch_optional(executor)
        .await
        .map_err(doing("read the audit trail's head"))?;
    row.as_ref().map(head_of).transpose()
}

/// The time of an event, in microseconds since 1970; absent if there is no such event.
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

/// Appends events, each of which follows the one before it, and moves the head to the last of them, for which `signature` is. The head
/// must be locked and equal to `head`. If the trail does not stand at its end, nothing is done and false is returned.
pub async fn append(
    tx: &mut PgConnection,
    head: &Head,
    events: &[NewEvent<'_>],
    signature: &Signature,
) -> Result<bool> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let stands = stands(["$1::bigint", "$2::bytea", "$3::text", "$4::bytea"]);
        format!(
            "with event as (insert into control.audit_event (seq, prev_hash, payload, hash)
                            select e.* from unnest($5::bigint[], $6::bytea[], $7::bytea[], $8::bytea[]) e where {stands}
                            returning seq),
             detail as (insert into control.audit_detail (seq, field, value, salt)
                        select d.* from unnest($9::bigint[], $10::text[], $11::text[], $12::bytea[]) d
                        where exists (select from event)),
             checkpoint as (insert into control.audit_checkpoint (seq, hash, key, signature)
                            select c.* from unnest($13::bigint[], $14::bytea[], $15::text[], $16::bytea[]) c
                            where exists (select from event))
             update control.audit_head set seq = $17, hash = $18, key = $19, signature = $20 where exists (select from event)"
        )
    });
    let Some(last) = events.last() else { return Ok(true) };
    // Partitions are made ahead of time, because a full partition must never refuse a change.
    if let Some(event) = events.iter().find(|event| event.seq % PARTITION_CHECK == 1) {
        sqlx::query("select control.ensure_audit_partition($1)")
            .bind(event.seq + PARTITION_CHECK)
            .execute(&mut *tx)
            .await
            .map_err(doing("make the audit trail's next partition"))?;
    }
    let (key, earlier) = head.signature.as_ref().map(|s| (s.key.as_str(), s.bytes.as_slice())).unzip();
    let details = || events.iter().flat_map(|event| event.details.iter().map(|detail| (event.seq, detail)));
    let kept: Vec<(&NewEvent<'_>, &Signature)> =
        events.iter().filter_map(|event| Some((event, event.checkpoint.as_ref()?))).collect();
    let done = sqlx::query(sqlx::AssertSqlSafe(SQL.as_str()))
        .bind(head.seq)
        .bind(head.hash.as_slice())
        .bind(key)
        .bind(earlier)
        .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.previous.as_slice()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.payload).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.hash.as_slice()).collect::<Vec<_>>())
        .bind(details().map(|(seq, _)| seq).collect::<Vec<_>>())
        .bind(details().map(|(_, detail)| detail.field).collect::<Vec<_>>())
        .bind(details().map(|(_, detail)| detail.value.as_str()).collect::<Vec<_>>())
        .bind(details().map(|(_, detail)| detail.salt.as_slice()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(event, _)| event.seq).collect::<Vec<_>>())
        .bind(kept.iter().map(|(event, _)| event.hash.as_slice()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, signature)| signature.key.as_str()).collect::<Vec<_>>())
        .bind(kept.iter().map(|(_, signature)| signature.bytes.as_slice()).collect::<Vec<_>>())
        .bind(last.seq)
        .bind(last.hash.as_slice())
        .bind(&signature.key)
        .bind(&signature.bytes)
        .execute(tx)
        .await
        .map_err(doing("append to the audit trail"))?;
    Ok(done.rows_affected() == 1)
}
