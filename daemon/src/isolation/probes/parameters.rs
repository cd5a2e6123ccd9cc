//! Checks for a right on a setting that is reserved for administrators.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "parameters",
    meaning: "a tenant changes what an administrator has set",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select coalesce(string_agg(parname, ', ' order by parname), '') from pg_parameter_acl where has_parameter_privilege(parname, 'SET') or has_parameter_privilege(parname, 'ALTER SYSTEM')",
        "",
    )],
    remedy: None,
};
