//! Creates large objects, which are outside every schema, have no limit, and can be granted to any role.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "large_object_create",
    meaning: "a tenant makes objects that no schema holds, and gives them to others' roles",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select count(*)::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname in ('lo_creat', 'lo_create', 'lo_from_bytea') and has_function_privilege(oid, 'EXECUTE')",
        "0",
    )],
    remedy: Some("revoke execute on the functions lo_creat, lo_create and lo_from_bytea from public"),
};
