//! Reads and writes the server's files through large objects.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "large_object_file",
    meaning: "a tenant reads and writes the server's files",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("select lo_import('PG_VERSION')"), refused("select lo_export(0, '/dev/null')")],
    remedy: None,
};
