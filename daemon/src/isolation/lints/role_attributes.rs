//! Attributes that a tenant's roles must not have.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "role_attributes",
    meaning: "a role of the tenant's may do what only an administrator may, or has no bounds",
    sql: r"
select format('%s has %s', r.rolname, attribute)
from ours join pg_roles r using (oid)
cross join lateral (values
    ('SUPERUSER', r.rolsuper), ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
    ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls),
    ('LOGIN, which only its logins have', r.rolcanlogin and r.rolname in ('{own}', '{own}_app')),
    ('no connection limit', r.rolconnlimit < 0 and r.rolname in ('{own}_a', '{own}_b'))) a(attribute, is_set)
where is_set",
};
