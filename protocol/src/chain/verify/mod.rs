//! The verifier: reads a trail once, from beginning to end, and names the first place where it differs from what it was.
//!
//! It compares the trail with claims: hashes that were written down elsewhere (anchors) and hashes that were signed
//! (checkpoints, and the head). Memory does not grow with the trail. It trusts only the keys that it was given.

mod broken;
mod claim;
mod lines;
mod suspect;
#[cfg(test)]
mod tests;
mod values;

use std::collections::VecDeque;

use serde::Deserialize;
use uuid::Uuid;

use super::{ACKNOWLEDGE_ACTION, KEY_ACTIONS, Link, PRUNE_ACTION, PublicKey, link};
use crate::audit::BreakKind;
pub use broken::{Break, HeadFault};
pub use claim::Claim;
pub use lines::{ExportError, ExportVerdict, ExportVerifier};
use suspect::Suspect;
pub use values::{ValueCheck, check_values};

/// An event as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub seq: i64,
    pub prev_hash: &'a [u8],
    pub payload: &'a [u8],
    pub hash: &'a [u8],
}

/// A loss that an administrator acknowledged in the trail itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The event that acknowledges it.
    pub said_at: i64,
    pub from: i64,
    pub to: i64,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub broken: Option<Break>,
    /// The last event, and its hash.
    pub to_seq: i64,
    pub hash: Link,
    /// The event up to which a trusted key has signed.
    pub signed_to: Option<i64>,
    pub anchored_to: Option<i64>,
    pub acknowledged: Vec<Loss>,
}

/// Takes claims and rows in the order of `seq`, each claim before its row, and finally returns the verdict.
#[derive(Debug, Clone)]
pub struct Verifier {
    trail: Uuid,
    /// The last event that fits, its hash, and the hash of the one before it.
    seq: i64,
    hash: Link,
    before: Link,
    /// The event before the first one.
    start: i64,
    trusted: Vec<PublicKey>,
    /// Keys that the trail itself names; they prove nothing.
    named: Vec<PublicKey>,
    /// Valid once the previous key has signed this place.
    next_key: Option<(i64, PublicKey)>,
    claims: VecDeque<Claim>,
    /// The newest place that a claim agrees with.
    good: i64,
    signed_to: Option<i64>,
    anchored_to: Option<i64>,
    acknowledged: Vec<Loss>,
    /// The contradictions between claims and the chain; a later acknowledgement may settle them.
    disputes: Vec<Dispute>,
    /// Signatures that fit, by a key that has not been named yet.
    unproven: Vec<Claim>,
    /// What is wrong with the head, apart from what the chain and other claims show.
    head_fault: Option<HeadFault>,
    /// For a trail that does not begin at its first event: whether that must be explained, and the newest pruning.
    must_be_whole: bool,
    pruned_to: Option<i64>,
    state: State,
}

/// A claim that contradicts the chain.
#[derive(Debug, Clone)]
struct Dispute {
    found: Break,
    /// No acknowledgement can settle it.
    is_final: bool,
}

#[derive(Debug, Clone)]
enum State {
    Following,
    /// The chain broke here; the remaining rows tell how.
    Suspecting(Box<Suspect>),
    Broken(Break),
}

/// The part of a payload that the verifier has to understand.
#[derive(Deserialize)]
struct KnownPart<'a> {
    action: &'a str,
    #[serde(default)]
    facts: Facts,
}

#[derive(Deserialize, Default)]
struct Facts {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    previous_key: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

impl Verifier {
    /// Verifies the events after `start`, whose hash is `hash`: 0 and [`super::BEGINNING`] for a whole trail.
    pub fn new(trail: Uuid, start: i64, hash: Link, trusted: Vec<PublicKey>) -> Self {
        Self {
            trail,
            seq: start,
            hash,
            before: hash,
            start,
            trusted,
            named: Vec::new(),
            next_key: None,
            claims: VecDeque::new(),
            good: start,
            signed_to: None,
            anchored_to: None,
            acknowledged: Vec::new(),
            disputes: Vec::new(),
            unproven: Vec::new(),
            head_fault: None,
            must_be_whole: false,
            pruned_to: None,
            state: State::Following,
        }
    }

    /// Requires that events missing at the beginning were pruned, and that the trail says so.
    pub const fn of_a_whole_trail(mut self) -> Self {
        self.must_be_whole = true;
        self
    }

    /// Adds a claim, in the order of `seq` and before its row. A claim about an event that is not read is ignored.
    pub fn expect(&mut self, claim: Claim) {
        if claim.seq() > self.start && claim.seq() > self.seq {
            self.claims.push_back(claim);
        }
    }

    pub fn row(&mut self, row: Row<'_>) {
        match &mut self.state {
            State::Following => self.follow(row),
            State::Suspecting(suspect) => {
                if let Some(found) = suspect.compare(row) {
                    self.state = State::Broken(found);
                }
            }
            State::Broken(_) => {}
        }
    }

    /// Reports that the head is unusable, or not this trail's. It is not a claim then, and nothing in it counts.
    pub fn accuse_head(&mut self, fault: HeadFault) {
        self.head_fault.get_or_insert(fault);
    }

    /// Whether further rows can no longer change the verdict.
    pub const fn is_decided(&self) -> bool {
        matches!(self.state, State::Broken(_))
    }

    /// Reports that the values beside the event that was just read are not those that it commits to.
    pub fn values_differ(&mut self, seq: i64) {
        if matches!(self.state, State::Following) {
            self.state = State::Broken(Break::at(seq, BreakKind::Edited));
        }
    }

    fn follow(&mut self, row: Row<'_>) {
        let expected = self.seq.saturating_add(1);
        if row.seq != expected {
            let (seq, kind) = match row.seq > expected {
                true => (expected, BreakKind::Removed),
                false => (row.seq, BreakKind::Forged),
            };
            self.state = State::Broken(Break::at(seq, kind));
            return;
        }
        let hash = link(expected, &self.hash, row.payload);
        if row.prev_hash != self.hash || row.hash != hash {
            self.state = self.suspect(row, hash);
            return;
        }
        (self.before, self.hash, self.seq) = (self.hash, hash, expected);
        self.listen(row.payload);
        self.hear_claims();
    }

    /// What a row that does not follow shows about itself, and about the row before it.
    fn suspect(&self, row: Row<'_>, hash: Link) -> State {
        let at = |seq, kind| State::Broken(Break::at(seq, kind));
        let (Ok(prev), Ok(own)) = (Link::try_from(row.prev_hash), Link::try_from(row.hash)) else {
            return at(row.seq, BreakKind::Edited);
        };
        let can_be_the_one_before = self.seq > self.start && self.seq > self.good;
        // The row belongs in the place of the previous row, so the previous row was inserted.
        if can_be_the_one_before && prev == self.before && link(self.seq, &prev, row.payload) == own {
            return at(self.seq, BreakKind::Forged);
        }
        // The row is intact, but follows another event than the previous row: that row was changed, with a hash that fits.
        if can_be_the_one_before && prev != self.hash && link(row.seq, &prev, row.payload) == own {
            return at(self.seq, BreakKind::Edited);
        }
        let is_the_next = link(row.seq.saturating_add(1), &prev, row.payload) == own;
        // Only the link to the previous row is wrong, which no other row can explain.
        if hash == own {
            return at(row.seq, BreakKind::Edited);
        }
        State::Suspecting(Box::new(Suspect::new(row.seq, self.hash, own, is_the_next)))
    }

    /// Reads the keys and acknowledgements that are in the trail itself.
    fn listen(&mut self, payload: &[u8]) {
        if !names_the_trail(payload) {
            return;
        }
        let Ok(said) = serde_json::from_slice::<KnownPart<'_>>(payload) else { return };
        if let (true, Some(key)) = (KEY_ACTIONS.contains(&said.action), &said.facts.key)
            && let Ok(key) = PublicKey::from_hex(key)
        {
            self.named.push(key);
            self.named.extend(said.facts.previous_key.iter().filter_map(|key| PublicKey::from_hex(key).ok()));
            self.next_key = Some((self.seq, key));
            self.prove_again();
        }
        let place = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
        if let (ACKNOWLEDGE_ACTION, Some(from), Some(to)) =
            (said.action, place(&said.facts.from), place(&said.facts.to))
        {
            self.acknowledged.push(Loss { said_at: self.seq, from, to });
            self.disputes.retain(|dispute| dispute.is_final || !(from..=to).contains(&dispute.found.at_most));
        }
        if let (PRUNE_ACTION, Some(to)) = (said.action, place(&said.facts.to)) {
            self.pruned_to = Some(to);
        }
    }

    fn is_acknowledged(&self, seq: i64) -> bool {
        self.acknowledged.iter().any(|loss| loss.covers(seq))
    }

    /// Ends the verification: `head` is the place where the trail claims to end, or the last event if nothing claims that.
    pub fn finish(mut self, head: i64) -> Verified {
        let broken = match std::mem::replace(&mut self.state, State::Following) {
            State::Broken(found) => Some(found),
            State::Suspecting(suspect) => Some(suspect.give_up()),
            State::Following => self.judge(head),
        };
        Verified {
            broken,
            to_seq: self.seq,
            hash: self.hash,
            signed_to: self.signed_to,
            anchored_to: self.anchored_to,
            acknowledged: self.acknowledged,
        }
    }

    /// Every row follows the previous one: what remains is whether this is the right trail, and all of it.
    fn judge(&mut self, head: i64) -> Option<Break> {
        let disputes = self.disputes.iter().map(|dispute| dispute.found.clone());
        let earlier = disputes.chain(self.unproven()).min_by_key(|found| found.seq);
        if let Some(dispute) = earlier {
            return Some(dispute);
        }
        if self.must_be_whole && self.start > 0 && self.pruned_to != Some(self.start) {
            return Some(Break::between(1, self.start, BreakKind::Removed));
        }
        let after = self.seq.saturating_add(1);
        while let Some(claim) = self.claims.pop_front() {
            if matches!(claim, Claim::Kept { .. }) && self.is_acknowledged(claim.seq()) {
                continue;
            }
            let kind = match self.is_believed(&claim) {
                true => BreakKind::Cut,
                false => BreakKind::Forged,
            };
            let fault = (head > self.seq).then_some(HeadFault::Ahead(head));
            return Some(Break::at(after, kind).because(fault));
        }
        if head > self.seq {
            return Some(Break::at(after, BreakKind::Cut).because(Some(HeadFault::Ahead(head))));
        }
        // Events beyond the last signature could come from anyone with access to the database.
        let signed = self.signed_to.unwrap_or(self.start).max(self.anchored_to.unwrap_or(self.start));
        match self.head_fault.take() {
            Some(HeadFault::Gone) => {
                let seq = signed.saturating_add(1);
                Some(Break::between(seq, after, BreakKind::Cut).because(Some(HeadFault::Gone)))
            }
            Some(HeadFault::StrayValues) => {
                Some(Break::at(after, BreakKind::Forged).because(Some(HeadFault::StrayValues)))
            }
            fault => {
                let is_signed_whole = self.signed_to.unwrap_or(self.start) == self.seq;
                let seq = signed.min(head).min(self.seq.saturating_sub(1)).saturating_add(1).max(1);
                let fault = if head < self.seq { Some(HeadFault::Behind(head)) } else { fault };
                (!is_signed_whole || head < self.seq || fault.is_some())
                    .then(|| Break::between(seq, self.seq, BreakKind::Forged).because(fault))
            }
        }
    }
}

/// A quick check whether a payload is about the trail itself; almost none is.
fn names_the_trail(payload: &[u8]) -> bool {
    const ACTION: &[u8] = b"\"action\":\"audit.";
    payload
        .iter()
        .take(64)
        .position(|byte| *byte == b',')
        .is_some_and(|at| payload[at + 1..].starts_with(ACTION))
}

impl Loss {
    fn covers(&self, seq: i64) -> bool {
        (self.from..=self.to).contains(&seq)
    }

    pub fn sentence(&self) -> String {
        format!(
            "events {} to {} were lost or replaced; event {} acknowledges it",
            self.from, self.to, self.said_at
        )
    }
}
