//! A row that does not follow the previous one: edited, or a sign that rows were moved. The rows after it tell which.

use super::{Break, Row};
use crate::audit::BreakKind;
use crate::chain::{Link, link};

#[derive(Debug, Clone)]
pub(super) struct Suspect {
    seq: i64,
    /// The hash that the event at this place follows.
    prev: Link,
    /// The hash that the row at this place claims.
    hash: Link,
    /// Whether the row at this place is really the next event.
    is_the_next: bool,
}

impl Suspect {
    pub(super) const fn new(seq: i64, prev: Link, hash: Link, is_the_next: bool) -> Self {
        Self { seq, prev, hash, is_the_next }
    }

    /// Whether a later row belongs in this place.
    pub(super) fn compare(&self, row: Row<'_>) -> Option<Break> {
        let belongs = link(self.seq, &self.prev, row.payload);
        // The whole row was moved, or only its bytes.
        let is_it = belongs == self.hash || (row.prev_hash == self.prev && row.hash == belongs);
        is_it.then(|| self.broken(BreakKind::Reordered))
    }

    /// No row belongs in this place.
    pub(super) fn give_up(&self) -> Break {
        self.broken(if self.is_the_next { BreakKind::Removed } else { BreakKind::Edited })
    }

    fn broken(&self, kind: BreakKind) -> Break {
        Break::at(self.seq, kind)
    }
}
