//! Comments on another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "comment",
    meaning: "a tenant writes into another tenant's catalog",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("comment on table {victim}.record is 'intruder'")],
    remedy: None,
};
