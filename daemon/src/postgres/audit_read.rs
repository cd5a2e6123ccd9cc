//! The audit trail as a stream, in the order of `seq`, as it is at one moment: for whoever reads all of it.
//!
//! By COPY in its binary form, which is several times as fast as rows; in ranges, so that no statement runs for long.
//! Memory does not grow with the trail.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tenantry_protocol::chain::verify::Row;

use super::audit_append::{self, Head};
use super::control::Control;
use super::error::{Error, Result, doing};

/// Events of one statement.
pub const RANGE: i64 = 20_000;
/// The server's beginning of a binary COPY: a signature, flags, and no extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// One moment of the trail.
#[derive(Debug)]
pub struct Snapshot {
    events: PgConnection,
    values: PgConnection,
    pub head: Head,
    /// The last event that is there, whatever the head says.
    pub last: i64,
    /// The event before the oldest one that was not pruned, and its hash.
    pub start: (i64, Vec<u8>),
}

/// A signature that stays.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub seq: i64,
    pub hash: Vec<u8>,
    pub key: String,
    pub signature: Vec<u8>,
}

impl Snapshot {
    pub async fn take(control: &Control) -> Result<Self> {
        let (mut events, mut values) = (control.connect().await?, control.connect().await?);
        begin(&mut events, "begin transaction isolation level repeatable read, read only").await?;
        let (name, last, oldest): (String, i64, Option<i64>) = sqlx::query_as(
            "select pg_export_snapshot(), (select coalesce(max(seq), 0) from control.audit_event),
                    (select min(seq) from control.audit_event)",
        )
        .fetch_one(&mut events)
        .await
        .map_err(doing("take a snapshot of the audit trail"))?;
        begin(&mut values, "begin transaction isolation level repeatable read, read only").await?;
        let set = format!("set transaction snapshot {}", super::quote::literal(&name));
        begin(&mut values, &set).await?;
        let head = audit_append::head_in(&mut events).await?;
        let before = oldest.map_or(head.seq, |oldest| oldest - 1);
        let start: Option<(i64, Vec<u8>)> =
            sqlx::query_as("select seq, hash from control.audit_checkpoint where seq = $1")
                .bind(before)
                .fetch_optional(&mut events)
                .await
                .map_err(doing("read the checkpoint before the oldest event"))?;
        let start = start.unwrap_or_else(|| (0, tenantry_protocol::chain::BEGINNING.to_vec()));
        Ok(Self { events, values, head, last, start })
    }

    /// Signatures within `after < seq <= to`, in order.
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

    /// The events and values of the next range after `after`, and where it ends.
    pub async fn range(&mut self, after: i64) -> Result<(Range<'_>, i64)> {
        let to = after.saturating_add(RANGE).min(self.last);
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
        Ok((Range { events, values, waiting: None }, to))
    }

    /// What the event at `seq` must follow: the hash of the one before, or of the place before the oldest one.
    pub async fn hash_before(&mut self, seq: i64) -> Result<Option<Vec<u8>>> {
        if seq == self.start.0 + 1 {
            return Ok(Some(self.start.1.clone()));
        }
        sqlx::query_scalar("select hash from control.audit_event where seq = $1")
            .bind(seq - 1)
            .fetch_optional(&mut self.events)
            .await
            .map_err(doing("read an audit event"))
    }

    /// A goodbye that fails changes nothing.
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
    /// A value that was read, and is of a later event.
    waiting: Option<Value>,
}

/// Of one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    pub seq: i64,
    pub field: String,
    pub value: String,
    pub salt: Vec<u8>,
}

impl std::fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}

impl Range<'_> {
    /// The next event, with its values; `None` at the end.
    pub async fn next(&mut self, values: &mut Vec<Value>) -> Result<Option<Row<'_>>> {
        values.clear();
        if !self.events.advance().await? {
            // Values of events that are not there are nobody's, and still on their way.
            while self.values.advance().await? {}
            return Ok(None);
        }
        let seq = number(self.events.fields()?[0])?;
        loop {
            if self.waiting.is_none() && self.values.advance().await? {
                self.waiting = Some(value(self.values.fields()?)?);
            }
            match self.waiting.take_if(|value| value.seq <= seq) {
                Some(value) => values.push(value),
                None => break,
            }
        }
        let [_, prev_hash, payload, hash] = self.events.fields()?;
        Ok(Some(Row { seq, prev_hash, payload, hash }))
    }
}

fn value([seq, field, value, salt]: [&[u8]; 4]) -> Result<Value> {
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| malformed("a value that is no text"));
    Ok(Value { seq: number(seq)?, field: text(field)?, value: text(value)?, salt: salt.to_vec() })
}

/// The rows of a binary COPY.
struct Copied<'c> {
    stream: BoxStream<'c, Result<bytes::Bytes, sqlx::Error>>,
    buffer: Vec<u8>,
    /// Where the current row begins, and where it ends.
    row: (usize, usize),
    has_header: bool,
}

impl<'c> Copied<'c> {
    async fn start(connection: &'c mut PgConnection, sql: &str) -> Result<Self> {
        let stream = connection.copy_out_raw(sql).await.map_err(doing("read the audit trail"))?;
        Ok(Self { stream, buffer: Vec::new(), row: (0, 0), has_header: false })
    }

    /// Goes to the next row; `false` at the end.
    async fn advance(&mut self) -> Result<bool> {
        self.row.0 = self.row.1;
        loop {
            if let Some(end) = self.row_end()? {
                self.row.1 = end;
                let is_trailer = end == self.row.0 + 2;
                if is_trailer {
                    // The server says once more that it is done; unread, that would answer the next statement.
                    while let Some(rest) = self.stream.next().await {
                        rest.map_err(doing("read the audit trail"))?;
                    }
                }
                return Ok(!is_trailer);
            }
            match self.stream.next().await {
                Some(part) => {
                    let part = part.map_err(doing("read the audit trail"))?;
                    self.buffer.drain(..self.row.0);
                    self.row = (0, 0);
                    self.buffer.extend_from_slice(&part);
                    if !self.has_header && self.buffer.len() >= COPY_HEADER.len() {
                        self.has_header = true;
                        self.row = (COPY_HEADER.len(), COPY_HEADER.len());
                    }
                }
                None => return Ok(false),
            }
        }
    }

    /// The end of the row that begins at the current place, if all of it is there.
    fn row_end(&self) -> Result<Option<usize>> {
        if !self.has_header {
            return Ok(None);
        }
        let rest = &self.buffer[self.row.0..];
        let Some((count, _)) = rest.split_first_chunk::<2>() else { return Ok(None) };
        let count = i16::from_be_bytes(*count);
        if count < 0 {
            return Ok(Some(self.row.0 + 2));
        }
        let mut at = 2;
        for _ in 0..count {
            let Some((length, _)) = rest.get(at..).and_then(<[u8]>::split_first_chunk::<4>) else {
                return Ok(None);
            };
            let length =
                usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed("an absent field"))?;
            at += 4 + length;
        }
        Ok((at <= rest.len()).then_some(self.row.0 + at))
    }

    fn fields(&self) -> Result<[&[u8]; 4]> {
        let mut rest = &self.buffer[self.row.0 + 2..self.row.1];
        let mut fields = [&[][..]; 4];
        for field in &mut fields {
            let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(|| malformed("a short row"))?;
            let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            (*field, rest) = tail.split_at_checked(length).ok_or_else(|| malformed("a short field"))?;
        }
        Ok(fields)
    }
}

fn number(bytes: &[u8]) -> Result<i64> {
    bytes.try_into().map(i64::from_be_bytes).map_err(|_| malformed("a number of another size"))
}

fn malformed(why: &str) -> Error {
    Error::Corrupt { what: "the audit trail's stream", why: why.to_owned() }
}
