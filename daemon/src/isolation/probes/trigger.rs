//! Puts a trigger on another tenant's table.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "trigger",
    meaning: "a tenant's code runs whenever another tenant writes",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused(
        "create trigger intruder before insert on {victim}.record for each row execute function suppress_redundant_updates_trigger()",
    )],
    remedy: None,
};
