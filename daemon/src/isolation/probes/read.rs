//! Reads another tenant's rows.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "read",
    meaning: "a tenant reads another tenant's data",
    depth: Depth::Core,
    scope: Scope::Neighbour,
    attacks: &[refused("select * from {victim}.record")],
    remedy: None,
};
