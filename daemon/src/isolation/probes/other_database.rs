//! Connects to another database of the server.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "other_database",
    meaning: "a tenant reads what others left open there, and keeps connections",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select coalesce(string_agg(datname, ', ' order by datname), '') from pg_database where datallowconn and datname <> current_database() and has_database_privilege(oid, 'CONNECT')",
        "",
    )],
    remedy: Some("revoke connect on the database from public"),
};
