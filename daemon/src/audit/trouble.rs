//! What a head that is not this daemon's says of what was done to the trail.

use tenantry_protocol::audit::BreakKind;
use tenantry_protocol::chain::verify::Break;

/// The head is at `head`; `newest` is the newest place that this daemon made, and `is_ours` whether it made one there.
pub(super) fn foreign_head(head: i64, newest: i64, is_ours: bool) -> Break {
    let (seq, kind) = match head > newest {
        _ if is_ours => (head, BreakKind::Rewritten),
        true => (newest + 1, BreakKind::Forged),
        false => (head + 1, BreakKind::Cut),
    };
    Break { seq, at_most: seq.max(head), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_head_is_named_after_where_it_stands() {
        let of = |head, newest, is_ours| {
            let found = foreign_head(head, newest, is_ours);
            (found.seq, found.at_most, found.kind)
        };
        assert_eq!(of(4, 9, false), (5, 5, BreakKind::Cut));
        assert_eq!(of(9, 9, true), (9, 9, BreakKind::Rewritten));
        assert_eq!(of(12, 9, false), (10, 12, BreakKind::Forged));
    }
}
