//! Changes who gets rights on the objects that another tenant will create.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "default_privileges",
    meaning: "a tenant opens another tenant's future data",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("alter default privileges for role {victim} grant select on tables to public")],
    remedy: None,
};
