//! Becomes the daemon's own role.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "provisioner",
    meaning: "a tenant takes over every tenant of the target",
    depth: Depth::Core,
    scope: Scope::Anywhere,
    attacks: &[refused("set role {provisioner}")],
    remedy: None,
};
