//! Removes its own limit on temporary files.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "temp_files",
    meaning: "a tenant's statements fill the server's disk",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("set temp_file_limit = -1"),
        refused("reset temp_file_limit"),
        refused("alter role current_user set temp_file_limit = -1"),
    ],
    remedy: None,
};
