//! Rebuilds another tenant's indexes, which locks them and runs their expressions.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "maintenance",
    meaning: "a tenant stops another tenant's work",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("reindex table {victim}.record")],
    remedy: None,
};
