//! Takes over everything that another tenant owns.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "reassign",
    meaning: "a tenant owns another tenant's data",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("reassign owned by {victim} to current_user")],
    remedy: None,
};
