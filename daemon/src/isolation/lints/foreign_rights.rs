//! Rights of the tenant's roles on what is not the tenant's.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "foreign_rights",
    meaning: "the tenant may use somebody else's objects",
    sql: r"
with ours as materialized (select oid, rolname from pg_roles
    where rolname in ('{own}', '{own}_app', '{own}_a', '{own}_b', '{own}_probe', '{own}_dump'))
select format('%s has rights on %s', r.rolname, case d.classid
        when 'pg_parameter_acl'::regclass then 'a setting of the server' else pg_describe_object(d.classid, d.objid, d.objsubid) end)
from ours r
join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'a'
 and d.dbid in (0, (select oid from pg_database where datname = current_database()))
where not (d.classid = 'pg_database'::regclass and (select datname from pg_database where oid = d.objid) = '{own}')
  and not exists (
    select from pg_shdepend o
    where o.refclassid = 'pg_authid'::regclass and o.refobjid = to_regrole('{own}') and o.deptype = 'o'
      and o.dbid = d.dbid and o.classid = d.classid and o.objid = d.objid)",
};
