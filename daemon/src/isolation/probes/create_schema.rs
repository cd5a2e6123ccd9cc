//! Creates a schema.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "create_schema",
    meaning: "a tenant plants objects that nobody knows of",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("create schema intruder")],
    remedy: None,
};
