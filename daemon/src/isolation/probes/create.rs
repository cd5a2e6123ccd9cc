//! Creates a table in another tenant's schema.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "create",
    meaning: "a tenant puts objects, and so code, into another tenant's schema",
    depth: Depth::Core,
    scope: Scope::Neighbour,
    attacks: &[refused("create table {victim}.intruder (id integer)")],
    remedy: None,
};
