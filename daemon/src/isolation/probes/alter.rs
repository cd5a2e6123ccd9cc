//! Alters another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "alter",
    meaning: "a tenant changes the shape of another tenant's data",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        refused("alter table {victim}.record add column intruder integer"),
        refused("alter table {victim}.record disable trigger user"),
    ],
    remedy: None,
};
