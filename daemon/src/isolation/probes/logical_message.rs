//! Writes messages into the server's write-ahead log.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "logical_message",
    meaning: "a tenant fills the server's disk without owning a row",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select count(*)::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname = 'pg_logical_emit_message' and has_function_privilege(oid, 'EXECUTE')",
        "0",
    )],
    remedy: Some("revoke execute on the functions pg_logical_emit_message from public"),
};
