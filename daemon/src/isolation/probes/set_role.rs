//! Becomes another tenant's owner, rights role or logins by SET ROLE.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "set_role",
    meaning: "a tenant takes over another tenant's role, and with it everything",
    depth: Depth::Core,
    scope: Scope::Anywhere,
    attacks: &[
        refused("set role {victim}"),
        refused("set role {victim}_app"),
        refused("set role {victim}_a"),
    ],
    remedy: None,
};
