//! Opens connections from inside the server, which trusts itself.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "dblink",
    meaning: "a tenant logs in as others where the server trusts local connections",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select count(*)::text from pg_proc where proname like 'dblink%' and has_function_privilege(oid, 'EXECUTE') and has_schema_privilege(pronamespace, 'USAGE')",
        "0",
    )],
    remedy: Some("revoke execute on the functions of the extension dblink from public"),
};
