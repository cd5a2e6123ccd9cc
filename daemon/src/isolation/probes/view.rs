//! Reads another tenant's view, which reads with its owner's rights.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "view",
    meaning: "a tenant reads another tenant's data through its views",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("select * from {victim}.overview")],
    remedy: None,
};
