//! Subscribes to another server.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "subscription",
    meaning: "a tenant writes tables from outside, as a superuser",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused(
        "create subscription intruder connection 'dbname=intruder' publication intruder with (connect = false)",
    )],
    remedy: None,
};
