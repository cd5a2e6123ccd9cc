//! Changes the server's configuration.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "alter_system",
    meaning: "a tenant changes the server for all",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees("select has_parameter_privilege('work_mem', 'ALTER SYSTEM')::text", "false")],
    remedy: None,
};
