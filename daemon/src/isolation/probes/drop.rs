//! Drops another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "drop",
    meaning: "a tenant destroys another tenant's data",
    depth: Depth::Core,
    scope: Scope::Neighbour,
    attacks: &[refused("drop table {victim}.record")],
    remedy: None,
};
