//! Takes advisory locks; one session can hold as many as the server has room for.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "advisory_lock",
    meaning: "a tenant fills the server's lock table, and nobody can work or log in",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select count(*)::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and (proname like 'pg\\_advisory\\_%' or proname like 'pg\\_try\\_advisory\\_%') and has_function_privilege(oid, 'EXECUTE')",
        "0",
    )],
    remedy: Some("revoke execute on the functions pg_advisory_… and pg_try_advisory_… from public"),
};
