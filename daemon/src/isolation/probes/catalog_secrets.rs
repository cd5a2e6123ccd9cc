//! Reads what the catalog hides from everyone except superusers: verifiers, connections, access rules.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "catalog_secrets",
    meaning: "a tenant reads secrets, and works on them at leisure",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("select rolpassword from pg_authid"),
        refused("select passwd from pg_shadow"),
        refused("select umoptions from pg_user_mapping"),
        refused("select subconninfo from pg_subscription"),
        refused("select * from pg_hba_file_rules"),
    ],
    remedy: None,
};
