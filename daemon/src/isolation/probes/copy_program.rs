//! Runs a program on the server.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "copy_program",
    meaning: "a tenant has a shell on the server",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("copy (select 1) to program 'true'")],
    remedy: None,
};
