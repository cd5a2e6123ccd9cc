//! Becomes the shared tables' owner, or a member of the mapping that says whose rows are whose.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "shared_owner",
    meaning: "a tenant becomes any tenant",
    depth: Depth::Core,
    scope: Scope::Shared,
    attacks: &[
        refused(r#"set role {pool}"#),
        refused(r#"update tenantry.pool_member set tenant_id = gen_random_uuid()"#),
        refused(
            r#"insert into tenantry.pool_member (role, placement, pool, tenant_id) select current_user, '{own}', '{pool}', gen_random_uuid()"#,
        ),
    ],
    remedy: None,
};
