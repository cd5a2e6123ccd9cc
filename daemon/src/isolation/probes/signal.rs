//! Cancels other users' statements.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "signal",
    meaning: "a tenant stops other tenants' work",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused(
        "select pg_cancel_backend(pid) from pg_stat_activity where not pg_has_role(current_user, usesysid, 'MEMBER') and usesysid not in (select oid from pg_roles where rolsuper)",
    )],
    remedy: None,
};
