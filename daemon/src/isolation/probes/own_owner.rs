//! Becomes the owner of its own schema.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "own_owner",
    meaning: "an application can change its own tables' rights, triggers and policies",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("set role {own}")],
    remedy: None,
};
