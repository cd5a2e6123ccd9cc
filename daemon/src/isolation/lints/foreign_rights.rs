//! Rights of the tenant's roles on objects that belong neither to the tenant nor to another tenant.
//!
//! A right that another tenant granted is a finding of that tenant, and here only a gift (see `gifts`). Any login may
//! grant rights on its large objects, and default privileges, to any role, and affects only its own tenant's grade by
//! that. There can be any number of these two kinds, so they are looked for among the objects of owners that are not
//! tenants.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "foreign_rights",
    meaning: "the tenant may use somebody else's objects",
    sql: r"
with rights as materialized (
    select d.classid, d.objid, d.objsubid, d.rolname, case d.classid
        when 'pg_default_acl'::regclass then (select defaclrole from pg_default_acl where oid = d.objid)
        else (select refobjid from pg_shdepend o where o.dbid = d.dbid and o.classid = d.classid and o.objid = d.objid
              and o.objsubid = 0 and o.deptype = 'o') end as owner
    from held d
    where d.deptype = 'a' and not (d.classid = 'pg_database'::regclass and (select datname from pg_database where oid = d.objid) = '{own}')),
owners as materialized (select owner from rights union select lomowner from pg_largeobject_metadata),
tenants as materialized (select owner from owners where owner in (select oid from ours) or exists (
    select from pg_roles r join tenantry.placement p on p.placement = left(r.rolname, 15) and p.kind = 'tenant'
    where r.oid = owner)),
strangers as materialized (select owner from owners where owner is not null except select owner from tenants),
found as (
    select classid, objid, objsubid, rolname from rights where owner is null or owner in (select owner from strangers)
    union all
    select 'pg_largeobject'::regclass, m.oid, 0, r.rolname
    from strangers s join pg_largeobject_metadata m on m.lomowner = s.owner, aclexplode(m.lomacl) a join ours r on r.oid = a.grantee)
select format('%s has rights on %s', rolname, case classid
        when 'pg_parameter_acl'::regclass then 'a setting of the server' else pg_describe_object(classid, objid, objsubid) end)
from found",
};
