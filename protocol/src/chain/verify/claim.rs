//! What somebody outside the rows says of a place in the chain, and what follows when it is not so.

use super::{Break, Dispute, HeadFault, Verifier};
use crate::audit::BreakKind;
use crate::chain::{Link, PublicKey, checkpoint};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Written down by the daemon itself when it was so.
    Anchor { seq: i64, hash: Link },
    /// The same in a copy that is kept elsewhere: it can be of before a loss that was acknowledged.
    Kept { seq: i64, hash: Link },
    /// Stored beside the trail, and worth what its signature is worth.
    Checkpoint { seq: i64, hash: Link, key: String, signature: Vec<u8> },
    /// As a checkpoint, at the trail's end.
    Head { seq: i64, hash: Link, key: String, signature: Vec<u8> },
}

/// What a signature is worth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Proof,
    /// By a key that the trail names, before the first one that is trusted.
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
    /// Those about the event that was just read.
    pub(super) fn hear_claims(&mut self) {
        while self.claims.front().is_some_and(|claim| claim.seq() <= self.seq) {
            if let Some(claim) = self.claims.pop_front() {
                self.hear(&claim);
            }
        }
    }

    /// A claim that comes right after the event that it is of.
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
                    // The key before has signed the event that names the next.
                    if let Some((_, key)) = self.next_key.take_if(|(named_at, _)| *named_at <= seq) {
                        self.trusted.push(key);
                    }
                    return;
                }
                // The last word of a key is the event that names the next: where that one is trusted, it is its word.
                (Worth::Hearsay, true) if self.hands_over(seq) => {
                    self.good = seq;
                    self.signed_to = Some(seq);
                    return;
                }
                (Worth::Hearsay, true) => return,
                (Worth::Proof | Worth::Hearsay, false) => self.rewritten(seq),
                // Nobody's word for the end: what else is known of it says how.
                (Worth::Nothing, _) if let Claim::Head { key, .. } = claim => {
                    return self.accuse_head(self.fault_of(key, agrees));
                }
                // Its key may be named further on, by the event that hands over to the next.
                (Worth::Nothing, true) if self.unproven.len() < MOST_DISPUTES => {
                    return self.unproven.push(claim.clone());
                }
                (Worth::Nothing, _) => Break::at(seq, BreakKind::Forged),
            },
        };
        let is_excused = match claim {
            Claim::Anchor { .. } => false,
            Claim::Kept { .. } => self.is_acknowledged(seq),
            // Stored beside the trail: what came after the acknowledgement is not of before the loss.
            _ => self.acknowledged.iter().any(|loss| loss.said_at > seq && loss.covers(seq)),
        };
        if !is_excused {
            // More of the same is said by the first, unless an acknowledgement is to cover all of it.
            let is_final = matches!(claim, Claim::Anchor { .. });
            self.disputes.push(Dispute { found: dispute, is_final });
            self.disputes.truncate(MOST_DISPUTES);
        }
    }

    /// Signatures that nobody named a key for.
    pub(super) fn unproven(&self) -> Option<Break> {
        self.unproven.first().map(|claim| Break::at(claim.seq(), BreakKind::Forged))
    }

    /// A key was named: what it signed is hearsay by now.
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

/// Disputes that are remembered; the first is the one that is told.
const MOST_DISPUTES: usize = 1_000;
