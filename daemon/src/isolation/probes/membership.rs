//! Makes itself a member of another tenant's roles.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "membership",
    meaning: "a tenant takes over another tenant's role, and with it everything",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("grant {victim} to {own}_probe"), refused("grant {victim}_app to {own}_app")],
    remedy: None,
};
