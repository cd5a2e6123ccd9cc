//! Rights that other tenants granted to the tenant's roles, on their objects and on those that they make later. A gift is
//! not held against the tenant that received it; it is a finding in the giver's own report.

use super::Lint;

/// Only a sample is read: the receiver needs to know only who granted something.
pub(super) const LINT: Lint = Lint {
    name: "gifts",
    meaning: "another tenant gave this one's roles rights of its own",
    sql: r"
with given as materialized (
    select d.classid, case d.classid
        when 'pg_largeobject'::regclass then (select lomowner from pg_largeobject_metadata where oid = d.objid)
        when 'pg_default_acl'::regclass then (select defaclrole from pg_default_acl where oid = d.objid)
        else (select refobjid from pg_shdepend o where o.dbid = d.dbid and o.classid = d.classid and o.objid = d.objid
              and o.objsubid = 0 and o.deptype = 'o') end as giver
    from (select d.* from ours r
        join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'a'
         and d.dbid = (select oid from pg_database where datname = current_database()) limit 1000) d)
select format('%s gave rights on %s', r.rolname, string_agg(distinct case classid
        when 'pg_largeobject'::regclass then 'large objects' when 'pg_default_acl'::regclass then 'objects that it makes later'
        else 'objects of its schema' end, ', '))
from given join pg_roles r on r.oid = giver
join tenantry.placement p on p.placement = left(r.rolname, 15) and p.kind = 'tenant' and p.placement <> '{own}'
group by r.rolname order by r.rolname",
};
