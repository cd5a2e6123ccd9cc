//! Loads a library into the server.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "load_library",
    meaning: "a tenant runs native code in the server",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("load 'pg_stat_statements'")],
    remedy: None,
};
