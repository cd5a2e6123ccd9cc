//! Gives itself more rights and more connections.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "escalate",
    meaning: "a tenant becomes an administrator of the server",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("alter role current_user superuser"),
        refused("alter role current_user createrole"),
        refused("alter role current_user bypassrls"),
        refused("alter role current_user connection limit 1000"),
    ],
    remedy: None,
};
