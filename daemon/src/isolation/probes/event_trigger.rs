//! Creates a trigger that fires on every tenant's schema changes.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "event_trigger",
    meaning: "a tenant's code runs with the rights of any role that changes a schema",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused(
        "create event trigger intruder on ddl_command_start execute function suppress_redundant_updates_trigger()",
    )],
    remedy: None,
};
