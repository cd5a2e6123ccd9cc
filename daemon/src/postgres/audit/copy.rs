//! The rows of a binary COPY with four fields that are never null.
//!
//! The server sends one row at a time, and such a row is passed on as it arrived. A trail can be read as fast as it is hashed
//! only if nothing is copied on the way. Rows that arrive otherwise, through a pooler, are assembled first.

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sqlx::postgres::PgConnection;

use crate::postgres::error::{Error, Result, doing};

/// The header of a binary COPY: a signature, flags, and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const FIELDS: usize = 4;

pub(super) struct Copied<'c> {
    stream: BoxStream<'c, Result<Bytes, sqlx::Error>>,
    /// Data that has arrived and is not exactly one row: a part of a row, or more than one.
    rest: BytesMut,
    has_header: bool,
}

/// The bytes of a row, and the position of its fields in them.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    row: Bytes,
    at: [Range<usize>; FIELDS],
}

/// What the data begins with.
enum CopyStart {
    /// A row that ends at this offset.
    Row(usize, [Range<usize>; FIELDS]),
    /// There are no more rows.
    Trailer,
    /// An incomplete row.
    Part,
}

impl<'c> Copied<'c> {
    pub(super) async fn start(connection: &'c mut PgConnection, sql: &str) -> Result<Self> {
        let stream = connection.copy_out_raw(sql).await.map_err(doing("read the audit trail"))?;
        Ok(Self { stream, rest: BytesMut::new(), has_header: false })
    }

    /// The next row; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Fields>> {
        loop {
            match self.beginning()? {
                CopyStart::Row(end, at) => {
                    return Ok(Some(Fields { row: self.rest.split_to(end).freeze(), at }));
                }
                CopyStart::Trailer => {
                    self.drain().await?;
                    return Ok(None);
                }
                CopyStart::Part => {}
            }
            let Some(part) = self.part().await? else {
                return Err(malformed("it ends without its end"));
            };
            if self.has_header
                && self.rest.is_empty()
                && let CopyStart::Row(end, at) = begins_with(&part)?
                && end == part.len()
            {
                return Ok(Some(Fields { row: part, at }));
            }
            self.rest.extend_from_slice(&part);
            if !self.has_header && self.rest.len() >= HEADER.len() {
                self.rest.advance(HEADER.len());
                self.has_header = true;
            }
        }
    }

    fn beginning(&self) -> Result<CopyStart> {
        if self.has_header { begins_with(&self.rest) } else { Ok(CopyStart::Part) }
    }

    async fn part(&mut self) -> Result<Option<Bytes>> {
        self.stream.next().await.transpose().map_err(doing("read the audit trail"))
    }

    /// Discards the remaining data. The server's final message says that the COPY is complete; left unread, it
    /// would answer the next statement.
    pub(super) async fn drain(&mut self) -> Result<()> {
        while self.part().await?.is_some() {}
        Ok(())
    }
}

fn begins_with(bytes: &[u8]) -> Result<CopyStart> {
    let Some((count, _)) = bytes.split_first_chunk::<2>() else { return Ok(CopyStart::Part) };
    let count = i16::from_be_bytes(*count);
    if count < 0 {
        return Ok(CopyStart::Trailer);
    }
    if usize::try_from(count) != Ok(FIELDS) {
        return Err(malformed("a row of another size"));
    }
    let mut at = [const { 0..0 }; FIELDS];
    let mut end = 2;
    for field in &mut at {
        let Some((length, _)) = bytes.get(end..).and_then(<[u8]>::split_first_chunk::<4>) else {
            return Ok(CopyStart::Part);
        };
        let length =
            usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed("an absent field"))?;
        *field = end + 4..end + 4 + length;
        end = field.end;
    }
    Ok(if end <= bytes.len() { CopyStart::Row(end, at) } else { CopyStart::Part })
}

impl Fields {
    pub(super) fn get(&self) -> [&[u8]; FIELDS] {
        self.at.each_ref().map(|at| self.field(at))
    }

    /// Always in bounds, because the ranges refer to these bytes.
    fn field(&self, at: &Range<usize>) -> &[u8] {
        self.row.get(at.clone()).unwrap_or_default()
    }

    /// The first field, a bigint.
    pub(super) fn number(&self) -> Result<i64> {
        self.field(&self.at[0])
            .try_into()
            .map(i64::from_be_bytes)
            .map_err(|_| malformed("a number of another size"))
    }
}

fn malformed(why: &str) -> Error {
    Error::Corrupt { what: "the audit trail's stream", why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Poll;

    use futures::stream;

    use super::*;

    fn row(seq: i64, text: &str) -> Vec<u8> {
        let mut row = vec![0, 4, 0, 0, 0, 8];
        row.extend(seq.to_be_bytes());
        for field in [text.as_bytes(), b"", b"hash"] {
            row.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
            row.extend(field);
        }
        row
    }

    async fn read(parts: Vec<Vec<u8>>) -> Result<Vec<(i64, String)>> {
        // The server's final message, which is not a row but must still be read.
        let is_over = Arc::new(AtomicBool::new(false));
        let last_word = stream::poll_fn({
            let is_over = Arc::clone(&is_over);
            move |_| {
                is_over.store(true, Ordering::Relaxed);
                Poll::Ready(None)
            }
        });
        let rows = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part))));
        let stream = rows.chain(last_word).boxed();
        let mut copied = Copied { stream, rest: BytesMut::new(), has_header: false };
        let mut rows = Vec::new();
        while let Some(row) = copied.next().await? {
            rows.push((row.number()?, String::from_utf8(row.get()[1].to_vec()).unwrap()));
        }
        assert!(is_over.load(Ordering::Relaxed), "the stream was left before its end");
        Ok(rows)
    }

    #[tokio::test]
    async fn rows_are_read_however_the_bytes_are_cut() {
        let trailer = vec![0xff, 0xff];
        let parts = vec![[HEADER, &row(1, "one")].concat(), row(2, "two"), row(3, ""), trailer];
        let expected = [(1, "one".to_owned()), (2, "two".to_owned()), (3, String::new())];
        let whole = parts.concat();
        assert_eq!(read(parts).await.unwrap(), expected, "as the server sends them");
        for size in 1..=whole.len() {
            let parts = whole.chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(read(parts).await.unwrap(), expected, "in parts of {size} bytes");
        }
        assert!(read(vec![whole[..whole.len() - 2].to_vec()]).await.is_err(), "a stream that was cut off");
    }
}
