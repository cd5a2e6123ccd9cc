//! Writes, changes and deletes rows of another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "write",
    meaning: "a tenant changes another tenant's data",
    depth: Depth::Core,
    scope: Scope::Neighbour,
    attacks: &[
        refused("insert into {victim}.record (id, note) values (666, 'intruder')"),
        refused("update {victim}.record set note = 'intruder'"),
        refused("delete from {victim}.record"),
    ],
    remedy: None,
};
