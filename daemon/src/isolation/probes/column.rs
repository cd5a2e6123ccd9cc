//! Counts a table's rows, for which PostgreSQL asks for a right on any one of its columns. A read of the whole table asks for
//! a right on all of them, so it is refused even while some are open.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "column",
    meaning: "a tenant reads a column of another tenant's data",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("select count(*) from {victim}.record")],
    remedy: None,
};
