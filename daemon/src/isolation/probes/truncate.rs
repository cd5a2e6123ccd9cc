//! Empties another tenant's table, which row-level security would not prevent.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "truncate",
    meaning: "a tenant destroys another tenant's data",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("truncate {victim}.record")],
    remedy: None,
};
