//! Rights of the tenant's own logins that an application does not need.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "app_rights",
    meaning: "the application could empty tables, put code into them, or hand its rights on",
    sql: r"
with granted as (
    select 'pg_class'::regclass as class, c.oid, c.relkind::text as kind, a.*
    from owned o join pg_class c on c.oid = o.objid, aclexplode(c.relacl) a where o.classid = 'pg_class'::regclass
    union all
    select 'pg_namespace'::regclass, n.oid, 'schema', a.*
    from owned o join pg_namespace n on n.oid = o.objid, aclexplode(n.nspacl) a where o.classid = 'pg_namespace'::regclass
    union all
    select 'pg_proc'::regclass, p.oid, 'function', a.*
    from owned o join pg_proc p on p.oid = o.objid, aclexplode(p.proacl) a where o.classid = 'pg_proc'::regclass)
select format('%s%s to %s on %s', privilege_type, case when is_grantable then ' with grant option' else '' end,
              pg_get_userbyid(grantee), pg_describe_object(class, oid, 0))
from granted
where grantee in (select oid from ours where rolname <> '{own}')
  and (is_grantable or privilege_type <> all (case kind
        when 'schema' then array['USAGE'] when 'function' then array['EXECUTE'] when 'S' then array['USAGE', 'SELECT', 'UPDATE']
        else array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] end))",
};
