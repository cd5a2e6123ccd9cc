//! Verifies the stored trail: one pass over one snapshot of it, while others may write.

use std::time::Instant;

use tenantry_protocol::audit::{AuditBreak, AuditVerdict, BreakKind};
use tenantry_protocol::chain::verify::{Break, Verified, Verifier};
use tenantry_protocol::chain::{self, Link};
use time::OffsetDateTime;

use crate::postgres::Result;
use crate::postgres::audit::append::{self, link_of};
use crate::postgres::audit::stream::TrailSnapshot;

use super::Trail;
use super::anchor_file::{self, Anchor, Side};
use super::pass::{Claims, Verification, end_holds, read_through};
use super::term_start::reading;

impl Trail {
    /// Verifies the whole trail against the key, the anchor file, and `extra` anchors from elsewhere.
    pub async fn verify(
        &self,
        mut extra: Vec<Anchor>,
        progress: impl Fn(Verification) + Send,
    ) -> Result<AuditVerdict> {
        let begin = Instant::now();
        let is_of_ours = extra.is_empty();
        let open = self.opened()?;
        extra.sort_by_key(|anchor| anchor.seq);
        let trouble = self.trouble();
        // Before the snapshot, so that everything anchored by now is in the snapshot.
        let newest = open.anchors.reached().newest;
        let mut snapshot = TrailSnapshot::take(&self.control).await?;
        let own = anchor_file::read(open.anchors.path(), Side::Own).map_err(reading(open.anchors.path()))?;
        // The daemon knows what it wrote last, whatever was done to the file.
        let own = own.chain(newest.map(Ok));
        let (start, hash) = start_of(&snapshot)?;
        let claims = Claims::new(own, newest.map_or(0, |anchor| anchor.seq), extra);
        let verifier = Verifier::new(open.trail, start, hash, vec![*open.key.public()]).of_a_whole_trail();
        let result = read_through(&mut snapshot, verifier, claims, (open.trail, start), &progress).await;
        let holds = match &result {
            Ok((verified, _)) if verified.broken.is_some() => end_holds(&mut snapshot, &open, newest).await,
            Ok(_) => snapshot.stands().await,
            Err(_) => Ok(true),
        };
        let end = snapshot.end.clone();
        snapshot.close().await;
        let ((verified, redacted), holds) = (result?, holds?);
        let mut verdict = verdict(start, &verified, redacted, begin);
        if verdict.broken.is_none() && !holds {
            verdict.broken = Some(unexplained(verdict.to_seq));
        }
        // A break that only the extra anchors show is reported to the caller alone.
        if is_of_ours || verdict.broken.is_none() {
            self.note(verdict.to_seq, verdict.broken.as_ref());
            let head = append::only(end.heads.clone()).filter(|_| holds);
            self.note_last(begin, end);
            self.settle(verdict.broken.as_ref(), head.as_ref(), trouble.as_ref());
        }
        Ok(verdict)
    }
}

fn start_of(snapshot: &TrailSnapshot) -> Result<(i64, Link)> {
    let (seq, hash) = &snapshot.start;
    Ok((*seq, link_of(hash)?))
}

fn verdict(start: i64, verified: &Verified, redacted: u64, begin: Instant) -> AuditVerdict {
    AuditVerdict {
        broken: verified.broken.as_ref().map(Break::to_wire),
        from_seq: start + 1,
        to_seq: verified.to_seq,
        hash: data_encoding::HEXLOWER.encode(&verified.hash),
        signed_to: verified.signed_to,
        anchored_to: verified.anchored_to,
        redacted,
        acknowledged: verified.acknowledged.iter().map(chain::verify::Loss::sentence).collect(),
        limits: LIMITS.map(str::to_owned).to_vec(),
        duration_ms: begin.elapsed().as_secs_f64() * 1_000.0,
        at: OffsetDateTime::now_utc(),
    }
}

/// Nothing can be appended to such an end, so the trail is never called whole, even if no claim mentions what is there.
fn unexplained(last: i64) -> AuditBreak {
    let message = format!(
        "something is stored at or after the trail's end (event {last}) that this installation did not write, and no event can \
         follow it: look for rows of control.audit_event, audit_detail and audit_checkpoint that belong to no event, find \
         out who could write them, and restore the control database from a backup"
    );
    AuditBreak { seq: last.saturating_add(1), kind: BreakKind::Other, message }
}

/// What no verdict of this daemon can promise.
const LIMITS: [&str; 2] = [
    "Whoever holds the database's superuser, the signing key and the anchor file together can write another trail that \
     verifies here: only anchors that were shipped elsewhere show it (`tenantry audit verify --anchors FILE`).",
    "It says that what is recorded stayed as it was recorded, not that everything that somebody did to the database \
     by other means was recorded.",
];
