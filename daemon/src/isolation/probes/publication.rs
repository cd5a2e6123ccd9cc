//! Publishes other tenants' tables.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "publication",
    meaning: "a tenant streams other tenants' data away",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("create publication intruder")],
    remedy: None,
};
