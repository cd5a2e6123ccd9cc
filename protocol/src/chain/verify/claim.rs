//! Claims about a place in the chain from outside its rows, and what follows if a claim does not hold.

use super::{Break, Dispute, HeadFault, Verifier};
use crate::audit::BreakKind;
use crate::chain::{Link, PublicKey, checkpoint};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Written down by the daemon itself at that time.
    Anchor { seq: i64, hash: Link },
    /// The same in a copy that is kept elsewhere; it may predate a loss that was acknowledged.
    Kept { seq: i64, hash: Link },
    /// Stored beside the trail, and worth as much as its signature.
    Checkpoint { seq: i64, hash: Link, key: String, signature: Vec<u8> },
    /// Like a checkpoint, at the trail's end.
    Head { seq: i64, hash: Link, key: String, signature: Vec<u8> },
}

/// How much a signature proves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Proof,
    /// By a key that the trail names, before the first trusted key.
    Hearsay,
    Nothing,
}

impl Claim {
    pub const fn seq(&self) -> i64 {
        match self {
            Self::Anchor { seq, .. }
            | Self::Kept { seq, .. }
            | Self::Checkpoint { seq, .. }
            | Self::Head { seq, .. } => *seq,
        }
    }

    pub const fn hash(&self) -> &Link {
        match self {
            Self::Anchor { hash, .. }
            | Self::Kept { hash, .. }
            | Self::Checkpoint { hash, .. }
            | Self::Head { hash, .. } => hash,
        }
    }
}

impl Verifier {
    /// Judges the claims about the event that was just read.
    pub(super) fn hear_claims(&mut self) {
        while self.claims.front().is_some_and(|claim| claim.seq() <= self.seq) {
            if let Some(claim) = self.claims.pop_front() {
                self.hear(&claim);
            }
        }
    }

    /// Judges a claim that comes directly after its event.
    pub(super) fn hear_late(&mut self, claim: &Claim) {
        if claim.seq() == self.seq && !self.is_decided() {
            self.hear(claim);
        }
    }

    fn hear(&mut self, claim: &Claim) {
        let (seq, agrees) = (claim.seq(), *claim.hash() == self.hash);
        let dispute = match claim {
            Claim::Anchor { .. } | Claim::Kept { .. } if agrees => {
                self.good = seq;
                self.anchored_to = Some(seq);
                return;
            }
            Claim::Anchor { .. } | Claim::Kept { .. } => self.rewritten(seq),
            Claim::Checkpoint { .. } | Claim::Head { .. } => match (self.worth(claim), agrees) {
                (Worth::Proof, true) => {
                    self.good = seq;
                    self.signed_to = Some(seq);
                    // The previous key has signed the event that names the next one.
                    if let Some((_, key)) = self.next_key.take_if(|(named_at, _)| *named_at <= seq) {
                        self.trusted.push(key);
                    }
                    return;
                }
                // The last event that a key signs names the next key. If the next key is trusted, this signature counts
                // as well.
                (Worth::Hearsay, true) if self.hands_over(seq) => {
                    self.good = seq;
                    self.signed_to = Some(seq);
                    return;
                }
                (Worth::Hearsay, true) => return,
                (Worth::Proof | Worth::Hearsay, false) => self.rewritten(seq),
                // Nothing vouches for the end; what else is known about it tells the fault.
                (Worth::Nothing, _) if let Claim::Head { key, .. } = claim => {
                    return self.accuse_head(self.fault_of(key, agrees));
                }
                // Its key may be named later, by the event that hands over to the next key.
                (Worth::Nothing, true) if self.unproven.len() < MOST_DISPUTES => {
                    return self.unproven.push(claim.clone());
                }
                (Worth::Nothing, _) => Break::at(seq, BreakKind::Forged),
            },
        };
        let is_excused = match claim {
            Claim::Anchor { .. } => false,
            Claim::Kept { .. } => self.is_acknowledged(seq),
            // Stored beside the trail: a claim about an event after the acknowledgement cannot predate the loss.
            _ => self.acknowledged.iter().any(|loss| loss.said_at > seq && loss.covers(seq)),
        };
        if !is_excused {
            // The first dispute stands for the others, unless an acknowledgement has to cover all of them.
            let is_final = matches!(claim, Claim::Anchor { .. });
            self.disputes.push(Dispute { found: dispute, is_final });
            self.disputes.truncate(MOST_DISPUTES);
        }
    }

    /// The first signature whose key was never named.
    pub(super) fn unproven(&self) -> Option<Break> {
        self.unproven.first().map(|claim| Break::at(claim.seq(), BreakKind::Forged))
    }

    /// Judges the unproven signatures again after a key was named: those of that key are hearsay now.
    pub(super) fn prove_again(&mut self) {
        let unproven = std::mem::take(&mut self.unproven);
        self.unproven = unproven.into_iter().filter(|claim| self.worth(claim) == Worth::Nothing).collect();
    }

    /// Whether the event at `seq` names a key that is trusted.
    fn hands_over(&self, seq: i64) -> bool {
        self.next_key.is_some_and(|(named_at, key)| named_at == seq && self.trusted.contains(&key))
    }

    /// Why a head that names this key proves nothing.
    fn fault_of(&self, key: &str, agrees: bool) -> HeadFault {
        match key {
            _ if !agrees => HeadFault::OtherHash,
            "" => HeadFault::Unsigned,
            key if self.trusted.iter().any(|trusted| trusted.id() == key) => {
                HeadFault::WrongSignature(key.to_owned())
            }
            key => HeadFault::OtherKey(key.to_owned()),
        }
    }

    fn rewritten(&self, seq: i64) -> Break {
        Break::between(self.good.saturating_add(1), seq, BreakKind::Rewritten)
    }

    pub(super) fn is_believed(&self, claim: &Claim) -> bool {
        matches!(claim, Claim::Anchor { .. } | Claim::Kept { .. }) || self.worth(claim) != Worth::Nothing
    }

    fn worth(&self, claim: &Claim) -> Worth {
        let (Claim::Checkpoint { seq, hash, key, signature } | Claim::Head { seq, hash, key, signature }) =
            claim
        else {
            return Worth::Nothing;
        };
        let statement = checkpoint(self.trail, *seq, hash);
        let signed = |keys: &[PublicKey]| {
            keys.iter().any(|known| known.id() == *key && known.has_signed(&statement, signature))
        };
        if signed(&self.trusted) {
            Worth::Proof
        } else if signed(&self.named) && (matches!(claim, Claim::Checkpoint { .. }) || self.hands_over(*seq))
        {
            Worth::Hearsay
        } else {
            Worth::Nothing
        }
    }
}

/// The number of disputes that are remembered; only the first is reported.
const MOST_DISPUTES: usize = 1_000;
