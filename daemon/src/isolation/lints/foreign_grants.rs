//! Rights of others on the tenant's objects: on those of its schema, and on the large objects of its logins. By the
//! server's default PUBLIC may use every type, so that is not reported.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "foreign_grants",
    meaning: "somebody else may use the tenant's objects",
    sql: r"
with granted as (
    select 'pg_class'::regclass as class, c.oid, 0 as part, a.grantee, a.privilege_type
    from owned o join pg_class c on c.oid = o.objid, aclexplode(c.relacl) a where o.classid = 'pg_class'::regclass
    union all
    select 'pg_class'::regclass, t.attrelid, t.attnum, a.grantee, a.privilege_type
    from owned o join pg_attribute t on t.attrelid = o.objid, aclexplode(t.attacl) a
    where o.classid = 'pg_class'::regclass and t.attacl is not null
    union all
    select 'pg_proc'::regclass, p.oid, 0, a.grantee, a.privilege_type
    from owned o join pg_proc p on p.oid = o.objid, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where o.classid = 'pg_proc'::regclass
    union all
    select 'pg_namespace'::regclass, n.oid, 0, a.grantee, a.privilege_type
    from owned o join pg_namespace n on n.oid = o.objid, aclexplode(n.nspacl) a where o.classid = 'pg_namespace'::regclass
    union all
    select 'pg_type'::regclass, t.oid, 0, a.grantee, a.privilege_type
    from owned o join pg_type t on t.oid = o.objid, aclexplode(t.typacl) a where o.classid = 'pg_type'::regclass
    union all
    select 'pg_largeobject'::regclass, m.oid, 0, a.grantee, a.privilege_type
    from ours join pg_largeobject_metadata m on m.lomowner = ours.oid, aclexplode(m.lomacl) a)
select format('%s to %s on %s', privilege_type, case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end,
              pg_describe_object(class, oid, part))
from granted
where grantee not in (select oid from ours) and grantee <> to_regrole(quote_ident(current_user))
  and not (grantee = 0 and class = 'pg_type'::regclass)",
};
