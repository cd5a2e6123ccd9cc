//! Locks another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "lock",
    meaning: "a tenant stops another tenant's work",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("lock table {victim}.record in access exclusive mode")],
    remedy: None,
};
