//! Indexes another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "index",
    meaning: "a tenant's expressions run over another tenant's rows",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("create index on {victim}.record (note)")],
    remedy: None,
};
