//! Reads, advances and sets another tenant's sequence.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "sequence",
    meaning: "a tenant counts, or breaks, another tenant's new rows",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        refused("select last_value from {victim}.ticket"),
        refused("select nextval('{victim}.ticket')"),
        refused("select setval('{victim}.ticket', 1)"),
    ],
    remedy: None,
};
