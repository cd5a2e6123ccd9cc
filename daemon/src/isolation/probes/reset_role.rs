//! Looks for another role behind its own, as a pooled session would have.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "reset_role",
    meaning: "a tenant gets back to a role that was only lent",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("reset role; set role {provisioner}"),
        refused("reset session authorization; set role {victim}"),
    ],
    remedy: None,
};
