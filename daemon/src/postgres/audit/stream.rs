//! The audit trail as a stream, in the order of `seq`, as it is at one moment. This is for callers that read all of it.
//!
//! It uses COPY in binary format, which is several times as fast as rows. It reads ranges, so that no statement runs for a
//! long time and memory does not grow with the trail.

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tenantry_protocol::chain::verify::Row;

use super::append::{self, Head};
use super::copy::{Copied, Fields};
use crate::postgres::control::Control;
use crate::postgres::error::{Result, doing};

/// The number of events that one statement reads.
pub const RANGE: i64 = 20_000;

/// A snapshot of the trail.
#[derive(Debug)]
pub struct TrailSnapshot {
    events: PgConnection,
    values: PgConnection,
    pub end: TrailEnd,
    /// The event before the oldest one that was not pruned, and the hash of that event.
    pub start: (i64, Vec<u8>),
}

/// The state of the trail's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailEnd {
    /// One head, unless somebody has changed it.
    pub heads: Vec<Head>,
    /// The last event that exists, whatever the head says.
    pub last: i64,
    /// The last event for which a value is stored.
    pub values_to: i64,
    /// The last checkpoint, wherever it is; none if there is no checkpoint.
    pub signed_to: Option<i64>,
}

/// A signature that is kept.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub seq: i64,
    pub hash: Vec<u8>,
    pub key: String,
    pub signature: Vec<u8>,
}

impl TrailSnapshot {
    pub async fn take(control: &Control) -> Result<Self> {
        let (mut events, mut values) = (control.connect().await?, control.connect().await?);
        begin(&mut events, "begin transaction isolation level repeatable read, read only").await?;
        let (name, last, values_to, signed_to, oldest): (String, i64, i64, Option<i64>, Option<i64>) =
            sqlx::query_as(
                "select pg_export_snapshot(), (select coalesce(max(seq), 0) from control.audit_event),
                    (select coalesce(max(seq), 0) from control.audit_detail),
                    (select max(seq) from control.audit_checkpoint),
                    (select min(seq) from control.audit_event)",
            )
            .fetch_one(&mut events)
            .await
            .map_err(doing("take a snapshot of the audit trail"))?;
        begin(&mut values, "begin transaction isolation level repeatable read, read only").await?;
        let set = format!("set transaction snapshot {}", crate::postgres::quote::literal(&name));
        begin(&mut values, &set).await?;
        let heads = append::heads_in(&mut events).await?;
        let before = oldest
            .map_or_else(|| heads.first().map_or(0, |head| head.seq), |oldest| oldest.saturating_sub(1));
        let start: Option<(i64, Vec<u8>)> =
            sqlx::query_as("select seq, hash from control.audit_checkpoint where seq = $1 and seq > 0")
                .bind(before)
                .fetch_optional(&mut events)
                .await
                .map_err(doing("read the checkpoint before the oldest event"))?;
        let start = start.unwrap_or_else(|| (0, tenantry_protocol::chain::BEGINNING.to_vec()));
        Ok(Self { events, values, end: TrailEnd { heads, last, values_to, signed_to }, start })
    }

    /// The signatures within `after < seq <= to`, in order.
    pub async fn checkpoints(&mut self, after: i64, to: i64) -> Result<Vec<Checkpoint>> {
        let rows: Vec<(i64, Vec<u8>, String, Vec<u8>)> = sqlx::query_as(
            "select seq, hash, key, signature from control.audit_checkpoint where seq > $1 and seq <= $2 order by seq",
        )
        .bind(after)
        .bind(to)
        .fetch_all(&mut self.events)
        .await
        .map_err(doing("read the audit trail's checkpoints"))?;
        let of = |(seq, hash, key, signature)| Checkpoint { seq, hash, key, signature };
        Ok(rows.into_iter().map(of).collect())
    }

    /// The first signature after `seq`, at any distance.
    pub async fn checkpoint_beyond(&mut self, seq: i64) -> Result<Option<Checkpoint>> {
        let row: Option<(i64, Vec<u8>, String, Vec<u8>)> = sqlx::query_as(
            "select seq, hash, key, signature from control.audit_checkpoint where seq > $1 order by seq limit 1",
        )
        .bind(seq)
        .fetch_optional(&mut self.events)
        .await
        .map_err(doing("read the audit trail's checkpoints"))?;
        Ok(row.map(|(seq, hash, key, signature)| Checkpoint { seq, hash, key, signature }))
    }

    /// Whether an event could be appended to the trail in this state.
    pub async fn stands(&mut self) -> Result<bool> {
        Ok(append::standing_head(&mut self.events).await?.is_some())
    }

    /// The events and values of the next range after `after`, and the end of that range.
    pub async fn range(&mut self, after: i64) -> Result<(Range<'_>, i64)> {
        let to = after.saturating_add(RANGE).min(self.end.last);
        let events = format!(
            "copy (select seq, prev_hash, payload, hash from control.audit_event where seq > {after} and seq <= {to} \
             order by seq) to stdout (format binary)"
        );
        let values = format!(
            "copy (select seq, field, value, salt from control.audit_detail where seq > {after} and seq <= {to} \
             order by seq) to stdout (format binary)"
        );
        let events = Copied::start(&mut self.events, &events).await?;
        let values = Copied::start(&mut self.values, &values).await?;
        Ok((Range { events, values, event: None, waiting: None }, to))
    }

    /// The place before the next event after `seq`; the last event if there is none.
    pub async fn place_before_next(&mut self, seq: i64) -> Result<i64> {
        let next: Option<i64> = sqlx::query_scalar("select min(seq) from control.audit_event where seq > $1")
            .bind(seq)
            .fetch_one(&mut self.events)
            .await
            .map_err(doing("look for the next audit event"))?;
        Ok(next.map_or(self.end.last, |next| next - 1))
    }

    /// The hash that the event at `seq` claims to follow, if there is such an event.
    pub async fn prev_hash(&mut self, seq: i64) -> Result<Option<Vec<u8>>> {
        sqlx::query_scalar("select prev_hash from control.audit_event where seq = $1")
            .bind(seq)
            .fetch_optional(&mut self.events)
            .await
            .map_err(doing("read an audit event"))
    }

    /// A failed close changes nothing.
    pub async fn close(self) {
        self.events.close().await.ok();
        self.values.close().await.ok();
    }
}

async fn begin(connection: &mut PgConnection, sql: &str) -> Result<()> {
    connection
        .execute(sqlx::AssertSqlSafe(sql.to_owned()))
        .await
        .map(|_| ())
        .map_err(doing("take a snapshot of the audit trail"))
}

/// Events with their values.
pub struct Range<'c> {
    events: Copied<'c>,
    values: Copied<'c>,
    /// The event that was read most recently.
    event: Option<Fields>,
    /// A value that was already read and belongs to a later event.
    waiting: Option<EventValue>,
}

/// A value of an event.
#[derive(Debug, Clone)]
pub struct EventValue {
    seq: i64,
    fields: Fields,
}

impl std::fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}

impl EventValue {
    /// Field, value and salt.
    pub fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let [_, field, value, salt] = self.fields.get();
        (field, value, salt)
    }
}

impl Range<'_> {
    /// The next event, with its values; `None` at the end.
    pub async fn next(&mut self, values: &mut Vec<EventValue>) -> Result<Option<Row<'_>>> {
        values.clear();
        self.event = self.events.next().await?;
        let Some(event) = &self.event else {
            // The remaining values belong to no event, but they must still be read.
            self.values.drain().await?;
            return Ok(None);
        };
        let seq = event.number()?;
        loop {
            if self.waiting.is_none()
                && let Some(fields) = self.values.next().await?
            {
                self.waiting = Some(EventValue { seq: fields.number()?, fields });
            }
            match self.waiting.take_if(|value| value.seq <= seq) {
                Some(value) => values.push(value),
                None => break,
            }
        }
        let [_, prev_hash, payload, hash] = event.get();
        Ok(Some(Row { seq, prev_hash, payload, hash }))
    }
}
