//! Checks for a role that has more than a tenant's rights.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "role_memberships",
    meaning: "a tenant has a right of the whole server",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select coalesce(string_agg(rolname, ', ' order by rolname), '') from pg_roles where (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolname like 'pg\\_%') and pg_has_role(current_user, oid, 'MEMBER')",
        "",
    )],
    remedy: None,
};
