//! Creates a role.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "create_role",
    meaning: "a tenant makes logins that nobody knows of",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("create role {own}_intruder")],
    remedy: None,
};
