//! Creates objects in its own schema.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "own_objects",
    meaning: "an application's login can plant code that its owner's functions call",
    depth: Depth::Full,
    scope: Scope::OwnSchema,
    attacks: &[
        refused("create table {own}.intruder (id integer)"),
        refused("create function {own}.intruder() returns integer language sql return 1"),
    ],
    remedy: None,
};
