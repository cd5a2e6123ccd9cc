//! Rewrites what another tenant's statements do.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "rule",
    meaning: "a tenant redirects what another tenant writes",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("create rule intruder as on insert to {victim}.record do also nothing")],
    remedy: None,
};
