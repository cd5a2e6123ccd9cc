//! Reads the statements that others run.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "activity",
    meaning: "a tenant reads other tenants' values in their statements",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select count(*)::text from pg_stat_activity where query <> '<insufficient privilege>' and not pg_has_role(current_user, usesysid, 'MEMBER')",
        "0",
    )],
    remedy: None,
};
