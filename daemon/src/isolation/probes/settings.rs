//! Turns off triggers, foreign keys and logging for itself.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "settings",
    meaning: "a tenant writes past the rules, or unseen",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("set session_replication_role = replica"),
        refused("set log_statement = 'none'"),
        refused("set lo_compat_privileges = on"),
    ],
    remedy: None,
};
