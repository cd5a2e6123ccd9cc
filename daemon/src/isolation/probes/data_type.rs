//! Uses another tenant's type.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "data_type",
    meaning: "a tenant ties its objects to another tenant's, which then cannot be dropped",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("select null::{victim}.mood")],
    remedy: None,
};
