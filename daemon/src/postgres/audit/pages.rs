//! The trail in the order of `seq`, a page at a time. This is for an export, which takes as long as its reader, and must not
//! hold a transaction open meanwhile.

use sqlx::{PgConnection, PgPool};
use tenantry_protocol::chain;

use crate::model::audit_reading::StoredEvent;

use super::filter::{self, CONDITIONS, Wanted};
use super::stream::Checkpoint;
use crate::postgres::error::{Result, doing};

/// How many events one statement looks at, if few of them match.
const MOST_LOOKED_AT: i64 = 50_000;
/// The number of rows of a page, unless their bytes reach the limit first.
const PAGE: usize = 1_000;

/// The place that the first event follows.
#[derive(Debug, Clone)]
pub struct PageStart {
    pub seq: i64,
    pub hash: Vec<u8>,
    /// The signature of the last pruned event, if events were pruned.
    pub signed: Option<Checkpoint>,
}

/// A part of the matching events.
#[derive(Debug)]
pub struct Page {
    pub events: Vec<StoredEvent>,
    /// The checkpoints of these events.
    pub checkpoints: Vec<Checkpoint>,
    /// All events up to this one have been searched.
    pub searched_to: i64,
}

/// The matching events after `after`.
pub async fn next(pool: &PgPool, wanted: &Wanted, after: i64) -> Result<Page> {
    let mut connection = Box::pin(pool.acquire()).await.map_err(doing("read the audit trail"))?;
    let low = wanted.low.max(after + 1);
    let high = wanted.high.min(low.saturating_add(MOST_LOOKED_AT));
    let sql = format!(
        "select e.seq, e.prev_hash, e.payload, e.hash from control.audit_event e where {CONDITIONS}
         order by e.seq limit $12"
    );
    let mut events = filter::rows(&mut connection, sql, wanted, (low, high), PAGE).await?;
    let searched_to = match events.last() {
        Some(last) if events.len() == PAGE => last.seq,
        // There is no wanted event after this.
        _ if high == wanted.high => i64::MAX,
        _ => high - 1,
    };
    let is_cut = filter::add_values(&mut connection, &mut events).await?;
    let searched_to = events.last().filter(|_| is_cut).map_or(searched_to, |last| last.seq);
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let checkpoints = checkpoints_of(&mut connection, &seqs).await?;
    Ok(Page { events, checkpoints, searched_to })
}

async fn checkpoints_of(connection: &mut PgConnection, seqs: &[i64]) -> Result<Vec<Checkpoint>> {
    let rows: Vec<(i64, Vec<u8>, String, Vec<u8>)> = sqlx::query_as(
        "select seq, hash, key, signature from control.audit_checkpoint where seq = any($1) order by seq",
    )
    .bind(seqs)
    .fetch_all(connection)
    .await
    .map_err(doing("read the audit trail's checkpoints"))?;
    Ok(rows.into_iter().map(checkpoint).collect())
}

fn checkpoint((seq, hash, key, signature): (i64, Vec<u8>, String, Vec<u8>)) -> Checkpoint {
    Checkpoint { seq, hash, key, signature }
}

/// The place that the oldest event follows.
pub async fn beginning(pool: &PgPool) -> Result<PageStart> {
    let row: Option<(i64, Vec<u8>, String, Vec<u8>)> = sqlx::query_as(
        "select seq, hash, key, signature from control.audit_checkpoint
         where seq = (select min(seq) - 1 from control.audit_event) and seq > 0",
    )
    .fetch_optional(pool)
    .await
    .map_err(doing("read the checkpoint before the oldest event"))?;
    Ok(match row.map(checkpoint) {
        Some(signed) => PageStart { seq: signed.seq, hash: signed.hash.clone(), signed: Some(signed) },
        None => PageStart { seq: 0, hash: chain::BEGINNING.to_vec(), signed: None },
    })
}
