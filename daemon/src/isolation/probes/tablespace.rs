//! Creates objects in a tablespace.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "tablespace",
    meaning: "a tenant fills a disk of the server",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[sees(
        "select coalesce(string_agg(spcname, ', '), '') from pg_tablespace where has_tablespace_privilege(oid, 'CREATE')",
        "",
    )],
    remedy: None,
};
