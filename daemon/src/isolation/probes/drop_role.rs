//! Drops another tenant's login.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "drop_role",
    meaning: "a tenant locks another tenant out, for good",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("drop role {victim}_a")],
    remedy: None,
};
