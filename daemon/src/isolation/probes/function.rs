//! Calls another tenant's function, which reads with its owner's rights.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "function",
    meaning: "a tenant reads another tenant's data through its functions",
    depth: Depth::Core,
    scope: Scope::Neighbour,
    attacks: &[refused("select {victim}.reveal()")],
    remedy: None,
};
