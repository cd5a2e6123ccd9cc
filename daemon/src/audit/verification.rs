//! Verifies the stored trail: one pass over one moment of it, beside whatever is written meanwhile.

use std::iter::Peekable;
use std::time::Instant;

use tenantry_protocol::audit::{AuditBreak, AuditVerdict, BreakKind};
use tenantry_protocol::chain::verify::{
    Break, Claim, HeadFault, ValueCheck, Verified, Verifier, check_values,
};
use tenantry_protocol::chain::{self, Link};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::postgres::audit::append::{self, Head, link_of};
use crate::postgres::audit::stream::{Checkpoint, RANGE, Snapshot, Value};
use crate::postgres::{Error, Result};

use super::Trail;
use super::anchor_file::{self, Anchor, Side};
use super::end::end_holds;
use super::term_start::reading;

/// How a verification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verification {
    /// The last event that was looked at, and the last that there is.
    pub checked: i64,
    pub total: i64,
}

/// What is held against the rows, in the order of `seq`.
pub(super) struct Claims<I: Iterator<Item = std::io::Result<Anchor>>> {
    own: Peekable<I>,
    /// Anchors written after the snapshot was taken say nothing of it, and the last of them may be half written.
    own_to: i64,
    own_told: i64,
    extra: Peekable<std::vec::IntoIter<Anchor>>,
    checkpoints: Peekable<std::vec::IntoIter<Checkpoint>>,
}

impl Trail {
    /// The whole trail against the key, the anchor file, and `extra` anchors from elsewhere.
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
        // Before the snapshot: what is anchored by now is in it.
        let newest = open.anchors.reached().newest;
        let mut snapshot = Snapshot::take(&self.control).await?;
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
        // What anchors that somebody brought say against it is for who asked.
        if is_of_ours || verdict.broken.is_none() {
            self.note(verdict.to_seq, verdict.broken.as_ref());
            let head = append::only(end.heads.clone()).filter(|_| holds);
            self.note_last(begin, end);
            self.settle(verdict.broken.as_ref(), head.as_ref(), trouble.as_ref());
        }
        Ok(verdict)
    }
}

impl<I: Iterator<Item = std::io::Result<Anchor>>> Claims<I> {
    pub(super) fn new(own: I, own_to: i64, extra: Vec<Anchor>) -> Self {
        let checkpoints = Vec::new().into_iter().peekable();
        let extra = extra.into_iter().peekable();
        Self { own: own.peekable(), own_to, own_told: 0, extra, checkpoints }
    }

    /// Tells all that is claimed up to `seq`, in order.
    fn tell(&mut self, verifier: &mut Verifier, seq: i64) -> Result<()> {
        while let Some(claim) = self.next(seq)? {
            verifier.expect(claim);
        }
        Ok(())
    }

    /// The next claim about a place up to `seq`.
    fn next(&mut self, seq: i64) -> Result<Option<Claim>> {
        let own = if self.own_told < self.own_to { self.own.peek() } else { None };
        let own = match own {
            Some(Ok(anchor)) if anchor.seq <= self.own_to => Some(anchor.seq),
            Some(Err(error)) => {
                return Err(Error::Refused(format!("the anchor file cannot be read: {error}")));
            }
            _ => None,
        };
        let extra = self.extra.peek().map(|anchor| anchor.seq);
        let checkpoint = self.checkpoints.peek().map(|checkpoint| checkpoint.seq);
        let Some(least) = [own, extra, checkpoint].into_iter().flatten().min().filter(|least| *least <= seq)
        else {
            return Ok(None);
        };
        if own == Some(least) {
            self.own_told = least;
            let anchor = self.own.next().and_then(std::result::Result::ok);
            return Ok(anchor.map(|anchor| Claim::Anchor { seq: anchor.seq, hash: anchor.hash }));
        }
        if extra == Some(least) {
            return Ok(self.extra.next().map(kept));
        }
        self.checkpoints.next().map(claim_of).transpose()
    }

    /// What is claimed beyond the last event, one of each kind: that is enough to know that it was cut.
    fn tell_what_is_beyond(&mut self, verifier: &mut Verifier) -> Result<()> {
        if let Some(newest) = self.extra.by_ref().last() {
            verifier.expect(kept(newest));
        }
        if let Some(claim) = self.next(i64::MAX)? {
            verifier.expect(claim);
        }
        Ok(())
    }
}

const fn kept(anchor: Anchor) -> Claim {
    Claim::Kept { seq: anchor.seq, hash: anchor.hash }
}

fn claim_of(checkpoint: Checkpoint) -> Result<Claim> {
    let Checkpoint { seq, hash, key, signature } = checkpoint;
    Ok(Claim::Checkpoint { seq, hash: link_of(&hash)?, key, signature })
}

fn start_of(snapshot: &Snapshot) -> Result<(i64, Link)> {
    let (seq, hash) = &snapshot.start;
    Ok((*seq, link_of(hash)?))
}

/// The events after `start` of this trail, to the last.
pub(super) async fn read_through<I: Iterator<Item = std::io::Result<Anchor>>>(
    snapshot: &mut Snapshot,
    mut verifier: Verifier,
    mut claims: Claims<I>,
    (trail, start): (Uuid, i64),
    progress: &impl Fn(Verification),
) -> Result<(Verified, u64)> {
    let (mut after, total, mut redacted) = (start, snapshot.end.last, 0);
    let head = head_of(&mut verifier, &snapshot.end.heads, trail);
    let mut values = Vec::new();
    while after < total && !verifier.is_decided() {
        let checkpoints = snapshot.checkpoints(after, after.saturating_add(RANGE)).await?;
        claims.checkpoints = checkpoints.into_iter().peekable();
        let (mut range, to) = snapshot.range(after).await?;
        let mut is_empty = true;
        while let Some(row) = range.next(&mut values).await? {
            is_empty = false;
            claims.tell(&mut verifier, row.seq)?;
            if let Some(head) = head.as_ref().filter(|head| head.seq == row.seq) {
                verifier.expect(head_claim(head));
            }
            verifier.row(row);
            match check_values(row.payload, values.iter().map(Value::parts)) {
                ValueCheck::Right { redacted: gone } => redacted += gone,
                ValueCheck::Wrong => verifier.values_differ(row.seq),
            }
        }
        drop(range);
        // What was planted far out is not walked to.
        after = if is_empty { snapshot.place_before_next(to).await? } else { to };
        progress(Verification { checked: after, total });
    }
    // A signature that a cut left behind, or that somebody planted: nothing follows one, however far it is.
    let beyond: Vec<_> = snapshot.checkpoint_beyond(total).await?.into_iter().collect();
    claims.checkpoints = beyond.into_iter().peekable();
    claims.tell_what_is_beyond(&mut verifier)?;
    if let Some(head) = head.as_ref().filter(|head| head.seq > total) {
        verifier.expect(head_claim(head));
    }
    if snapshot.end.values_to > total {
        verifier.accuse_head(HeadFault::StrayValues);
    }
    let end = append::only(snapshot.end.heads.clone()).map_or(total, |head| head.seq);
    Ok((verifier.finish(end), redacted))
}

/// The head, if it is one and this trail's.
fn head_of(verifier: &mut Verifier, heads: &[Head], trail: Uuid) -> Option<Head> {
    let fault = match heads {
        [head] if head.trail == trail => return Some(head.clone()),
        [head] => HeadFault::OtherTrail(head.trail),
        [] => HeadFault::Gone,
        _ => HeadFault::Several,
    };
    verifier.accuse_head(fault);
    None
}

fn head_claim(head: &Head) -> Claim {
    // A head without a signature proves nothing, and says so.
    let (key, signature) = head.signature.clone().map_or_else(Default::default, |s| (s.key, s.bytes));
    Claim::Head { seq: head.seq, hash: head.hash, key, signature }
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

/// Nothing can follow such an end, so it is never called whole, whatever it is that no claim speaks of.
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
