//! Reads a partition of another tenant's table directly: neither the rights on its parent nor the parent's policies apply
//! there.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "partition",
    meaning: "a tenant reads another tenant's data past its parent table",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("select * from {victim}.event_first"), refused("select * from {victim}.event")],
    remedy: None,
};
