//! Writes a file on the server.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "copy_file",
    meaning: "a tenant writes the server's configuration, or programs",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("copy (select 1) to '/dev/null'")],
    remedy: None,
};
