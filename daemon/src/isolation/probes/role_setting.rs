//! Changes the search path of another tenant's login.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "role_setting",
    meaning: "a tenant makes another tenant's statements run other objects",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("alter role {victim}_a set search_path = pg_catalog"),
        refused("alter role {victim}_a reset all"),
    ],
    remedy: None,
};
