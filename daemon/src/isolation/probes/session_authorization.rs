//! Becomes another tenant's owner by SET SESSION AUTHORIZATION.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "session_authorization",
    meaning: "a tenant takes over another tenant's role, and with it everything",
    depth: Depth::Core,
    scope: Scope::Anywhere,
    attacks: &[refused("set session authorization {victim}")],
    remedy: None,
};
