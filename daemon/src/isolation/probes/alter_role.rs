//! Closes another tenant's login.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "alter_role",
    meaning: "a tenant locks another tenant out",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("alter role {victim}_a nologin"),
        refused("alter role {victim}_a rename to {victim}_z"),
    ],
    remedy: None,
};
