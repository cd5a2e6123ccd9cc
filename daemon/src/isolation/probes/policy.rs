//! Changes the row-level security of another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "policy",
    meaning: "a tenant decides which rows another tenant sees",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        refused("create policy intruder on {victim}.record using (true)"),
        refused("alter table {victim}.record disable row level security"),
    ],
    remedy: None,
};
