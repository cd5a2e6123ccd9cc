//! Uses a foreign server or creates one.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "foreign_data",
    meaning: "a tenant reaches other servers with the server's own address",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        sees(
            "select count(*)::text from pg_foreign_data_wrapper where has_foreign_data_wrapper_privilege(oid, 'USAGE')",
            "0",
        ),
        sees("select count(*)::text from pg_foreign_server where has_server_privilege(oid, 'USAGE')", "0"),
    ],
    remedy: None,
};
