//! Creates objects beside the extensions, on every tenant's search path.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "extension_schema",
    meaning: "a tenant plants objects that others call",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("create table tenantry_ext.intruder (id integer)")],
    remedy: None,
};
