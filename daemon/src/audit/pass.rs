//! One pass over stored events, from a place to the last event. The events are compared with what the anchor file, the
//! signatures and the head claim about them.

use std::iter::Peekable;

use tenantry_protocol::chain;
use tenantry_protocol::chain::verify::{Claim, HeadFault, ValueCheck, Verified, Verifier, check_values};
use uuid::Uuid;

use crate::postgres::audit::append::{self, Head, link_of};
use crate::postgres::audit::stream::{Checkpoint, EventValue, RANGE, TrailSnapshot};
use crate::postgres::{Error, Result};

use super::Term;
use super::anchor_file::Anchor;

/// The progress of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verification {
    /// The last event that was checked, and the last event that exists.
    pub checked: i64,
    pub total: i64,
}

/// The claims that the rows are compared with, in the order of `seq`.
pub(super) struct Claims<I: Iterator<Item = std::io::Result<Anchor>>> {
    own: Peekable<I>,
    /// Anchors that were written after the snapshot was taken say nothing about it, and the last one may be half written.
    own_to: i64,
    own_told: i64,
    extra: Peekable<std::vec::IntoIter<Anchor>>,
    checkpoints: Peekable<std::vec::IntoIter<Checkpoint>>,
}

impl<I: Iterator<Item = std::io::Result<Anchor>>> Claims<I> {
    pub(super) fn new(own: I, own_to: i64, extra: Vec<Anchor>) -> Self {
        let checkpoints = Vec::new().into_iter().peekable();
        let extra = extra.into_iter().peekable();
        Self { own: own.peekable(), own_to, own_told: 0, extra, checkpoints }
    }

    /// Tells the verifier all claims up to `seq`, in order.
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

    /// Tells the verifier one claim of each kind beyond the last event. That is enough to know that the trail was cut.
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

/// Reads the events of this trail after `start`, up to the last one.
pub(super) async fn read_through<I: Iterator<Item = std::io::Result<Anchor>>>(
    snapshot: &mut TrailSnapshot,
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
            match check_values(row.payload, values.iter().map(EventValue::parts)) {
                ValueCheck::Right { redacted: gone } => redacted += gone,
                ValueCheck::Wrong => verifier.values_differ(row.seq),
            }
        }
        drop(range);
        // Skips the gap before an event that was planted far out.
        after = if is_empty { snapshot.place_before_next(to).await? } else { to };
        progress(Verification { checked: after, total });
    }
    // A signature that a cut left behind, or that somebody planted. Nothing may be signed beyond the
    // last event, at any distance.
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

/// The head, if there is exactly one and it belongs to this trail.
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
    // A head without a signature proves nothing, and its claim says so.
    let (key, signature) = head.signature.clone().map_or_else(Default::default, |s| (s.key, s.bytes));
    Claim::Head { seq: head.seq, hash: head.hash, key, signature }
}

/// Whether something may be appended to the trail's end. There must be one head, which belongs to this trail, is signed by the
/// key and is the head of the last event. That event must be whole, and there must be nothing else from the newest anchor on.
/// Faults further back do not matter here.
pub(super) async fn end_holds(
    snapshot: &mut TrailSnapshot,
    open: &Term,
    known: Option<Anchor>,
) -> Result<bool> {
    let [head] = snapshot.end.heads.as_slice() else { return Ok(false) };
    let head = head.clone();
    if head.seq == 0 {
        let is_empty = snapshot.end.last == 0 && snapshot.end.values_to == 0 && head.hash == chain::BEGINNING;
        return Ok(is_empty && head.trail == open.trail && known.is_none() && snapshot.stands().await?);
    }
    let from = known.map_or(head.seq, |anchor| anchor.seq);
    if from > head.seq {
        return Ok(false);
    }
    let Some(before) = snapshot.prev_hash(from).await? else { return Ok(false) };
    let verifier = Verifier::new(open.trail, from - 1, link_of(&before)?, vec![*open.key.public()]);
    let claims = Claims::new(known.map(Ok).into_iter(), from, Vec::new());
    let (verified, _) = read_through(snapshot, verifier, claims, (open.trail, from - 1), &|_| {}).await?;
    // An end at which the next event would be refused must never pass.
    Ok(verified.broken.is_none() && snapshot.stands().await?)
}
