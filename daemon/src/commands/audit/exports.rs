//! The open exports. There are only a few at once; each belongs to the caller who opened it, and ends when nobody reads on.
//!
//! Between two parts, a session holds no transaction, no connection, and no more of the trail than one page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tenantry_protocol::audit::{AuditExportPart, AuditFilter, ExportFormat};
use tenantry_protocol::chain::export::{EXPORT_VERSION, End, ExportLine, Header, Point, Signed};
use tenantry_protocol::chain::{self, Link};
use tenantry_protocol::error::{ApiError, ErrorCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::audit::Trail;
use crate::model::audit_chain::Actor;
use crate::model::audit_lines;
use crate::postgres::audit::append::Head;
use crate::postgres::audit::filter::Wanted;
use crate::postgres::audit::pages::{self, Page, PageStart};
use crate::postgres::audit::stream::Checkpoint;

use crate::commands::errors;

/// The number of exports that may be open at once.
const MOST: usize = 4;
/// How long an export waits for its reader.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// A part's size, in bytes, up to one line more.
const PART: usize = 1024 * 1024;
/// No part is larger: a longer line continues in the next one. JSON may need six times as many bytes, which still fit a
/// frame.
const LARGEST: usize = PART + PART / 4;
/// How long to search for matching events before a part is returned as it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// The open exports.
#[derive(Debug, Default)]
pub(in crate::commands) struct Exports(Mutex<HashMap<Uuid, Arc<ExportSession>>>);

/// The request for an export.
#[derive(Debug)]
pub(super) struct ExportOrder {
    pub(in crate::commands) actor: Actor,
    pub(super) format: ExportFormat,
    /// Absent for the whole trail.
    pub(super) filter: Option<AuditFilter>,
    /// `None` if nothing can match.
    pub(super) wanted: Option<Wanted>,
    pub(super) head: Head,
    pub(super) begin: Instant,
}

#[derive(Debug)]
pub(super) struct ExportSession {
    pub(super) order: ExportOrder,
    last_read: Mutex<Instant>,
    /// Locked while a part is made.
    pub(super) progress: tokio::sync::Mutex<ExportProgress>,
}

/// How far the export has come.
#[derive(Debug, Clone)]
pub(super) struct ExportProgress {
    /// `None` before the first part.
    at: Option<i64>,
    pub(super) events: u64,
    digest: Sha256,
    /// The text that did not fit into the last part.
    rest: String,
}

impl Exports {
    pub(super) fn open(&self, order: ExportOrder) -> Result<(Uuid, Arc<ExportSession>), ApiError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST {
            return Err(full());
        }
        let progress = ExportProgress { at: None, events: 0, digest: Sha256::new(), rest: String::new() };
        let session = ExportSession {
            order,
            last_read: Mutex::new(Instant::now()),
            progress: tokio::sync::Mutex::new(progress),
        };
        let (id, session) = (Uuid::now_v7(), Arc::new(session));
        open.insert(id, Arc::clone(&session));
        Ok((id, session))
    }

    /// Checks that there is room for another export, before anything about it is recorded.
    pub(super) fn check_room(&self) -> Result<(), ApiError> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() < MOST { Ok(()) } else { Err(full()) }
    }

    /// The caller's own export with this id.
    pub(super) fn find(&self, id: &str, uid: u32) -> Result<(Uuid, Arc<ExportSession>), ApiError> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Uuid::parse_str(id).ok().and_then(|id| Some((id, Arc::clone(open.get(&id)?))));
        found.filter(|(_, session)| session.order.actor.uid == uid).ok_or_else(|| {
            let message = format!(
                "you have no such export: its last part was read, or nobody read on for {} s; begin another",
                IDLE.as_secs()
            );
            ApiError::new(ErrorCode::NotFound, message).on_field("id")
        })
    }

    pub(super) fn get(&self, id: Uuid) -> Option<Arc<ExportSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn close(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

fn full() -> ApiError {
    let message =
        format!("{MOST} exports are being read already: wait for one of them to end, then ask again");
    ApiError::new(ErrorCode::Conflict, message)
}

impl ExportSession {
    /// When the export was last read.
    pub(super) fn last_read(&self) -> Instant {
        *self.last_read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self) {
        *self.last_read.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The next part, and the progress of the export after it.
    pub(super) async fn next_part(
        &self,
        trail: &Trail,
        progress: &ExportProgress,
    ) -> Result<(AuditExportPart, ExportProgress), ApiError> {
        let begin = Instant::now();
        let mut next = progress.clone();
        let mut text = std::mem::take(&mut next.rest);
        let mut at = match next.at {
            Some(at) => at,
            None => self.begin(trail, &mut text).await?,
        };
        let to = self.order.head.seq;
        while at < to && text.len() < PART && begin.elapsed() < PATIENCE {
            let Some(wanted) = &self.order.wanted else {
                at = to;
                break;
            };
            let page = pages::next(trail.control().pool(), wanted, at).await.map_err(errors::control)?;
            at = self.write(page, at, &mut text, &mut next.events)?.min(to);
        }
        next.at = Some(at);
        next.rest = split(&mut text);
        next.digest.update(&text);
        let is_last = at >= to && next.rest.is_empty();
        if is_last && self.order.format == ExportFormat::Jsonl {
            text += &self.end(trail, &next)?;
        }
        let part = AuditExportPart { text, events: next.events, searched_to: at, to_seq: to, is_last };
        Ok((part, next))
    }

    /// Writes the beginning of the export, and returns the event number after which it begins.
    async fn begin(&self, trail: &Trail, text: &mut String) -> Result<i64, ApiError> {
        let order = &self.order;
        *text = audit_lines::heading(order.format).map_err(|error| unwritable(&error))?;
        let from = pages::beginning(trail.control().pool()).await.map_err(errors::control)?;
        if order.format == ExportFormat::Jsonl {
            *text += &json_line(&ExportLine::Header(Box::new(self.header(&from)?)))?;
            if let Some(signed) = from.signed {
                *text += &json_line(&ExportLine::Checkpoint(to_wire(signed)))?;
            }
        }
        Ok(from.seq)
    }

    fn header(&self, from: &PageStart) -> Result<Header, ApiError> {
        let (head, order) = (&self.order.head, &self.order);
        // A trail that can be exported was signed when the export was recorded in it.
        let signature = head.signature.as_ref().ok_or_else(errors::internal)?;
        Ok(Header {
            version: EXPORT_VERSION,
            trail: head.trail,
            from: Point { seq: from.seq, hash: hex(&from.hash) },
            head: Signed {
                seq: head.seq,
                hash: hex(&head.hash),
                key: signature.key.clone(),
                signature: hex(&signature.bytes),
            },
            filter: order.filter.clone(),
            made_at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            made_by: order.actor.name.clone(),
        })
    }

    /// Adds a page's lines, as far as they fit, and returns where it stopped.
    fn write(&self, page: Page, after: i64, text: &mut String, events: &mut u64) -> Result<i64, ApiError> {
        let mut checkpoints = page.checkpoints.into_iter().peekable();
        let mut at = after;
        for event in page.events {
            self.check_whole(at, event.seq - 1)?;
            *text += &audit_lines::event(self.order.format, &event).map_err(|error| unwritable(&error))?;
            *events += 1;
            at = event.seq;
            if let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.seq == at)
                && self.order.format == ExportFormat::Jsonl
            {
                *text += &json_line(&ExportLine::Checkpoint(to_wire(checkpoint)))?;
            }
            if text.len() >= PART {
                return Ok(at);
            }
        }
        self.check_whole(at, page.searched_to)?;
        Ok(page.searched_to)
    }

    /// In an export of the whole trail no event may be missing.
    fn check_whole(&self, last: i64, to: i64) -> Result<(), ApiError> {
        if self.order.filter.is_some() || last >= to.min(self.order.head.seq) {
            return Ok(());
        }
        let message = format!(
            "events {} to {to} are not there any more: they were pruned while they were exported, or the trail is \
             broken; verify it (`tenantry audit verify`), then begin another export",
            last + 1,
        );
        Err(ApiError::new(ErrorCode::Conflict, message))
    }

    fn end(&self, trail: &Trail, progress: &ExportProgress) -> Result<String, ApiError> {
        let sha256: Link = progress.digest.clone().finalize().into();
        let statement = chain::export_statement(self.order.head.trail, &sha256);
        let signature = trail.sign(&statement).map_err(errors::control)?;
        json_line(&ExportLine::End(End {
            events: progress.events,
            sha256: hex(&sha256),
            key: signature.key,
            signature: hex(&signature.bytes),
        }))
    }
}

impl ExportProgress {
    /// SHA-256 of everything returned so far, except the line that contains it.
    pub(super) fn sha256(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

/// Cuts off what exceeds the largest part, at a character boundary.
fn split(text: &mut String) -> String {
    let mut at = LARGEST.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.split_off(at)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn to_wire(checkpoint: Checkpoint) -> Signed {
    let Checkpoint { seq, hash, key, signature } = checkpoint;
    Signed { seq, hash: hex(&hash), key, signature: hex(&signature) }
}

fn json_line(line: &ExportLine) -> Result<String, ApiError> {
    audit_lines::line(line).map_err(|error| unwritable(&error))
}

fn unwritable(error: &audit_lines::LineError) -> ApiError {
    tracing::error!(%error, "a line of an export cannot be written");
    errors::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_longer_than_a_part_goes_on_in_the_next() {
        let line = "ä".repeat(LARGEST);
        let (mut rest, mut parts) = (line.clone(), Vec::new());
        while !rest.is_empty() {
            let next = split(&mut rest);
            parts.push(std::mem::replace(&mut rest, next));
        }
        assert!(parts.iter().all(|part| part.len() <= LARGEST), "{:?}", parts.iter().map(String::len));
        assert_eq!(parts.concat(), line);
        assert_eq!(split(&mut "short".to_owned()), "");
    }
}
