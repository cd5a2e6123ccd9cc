//! Who may do what: the schema itself, privileges on each object, and those that new objects get.
//!
//! Privileges that were never changed read as those that the server gives by default.

use super::{DefinitionQuery, ObjectCatalog};

pub(super) const ON_RELATIONS: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Relations,
    sql: "
select 'privileges', {kind} || ' ' || c.oid::regclass, {kind} || ' ' || c.oid::regclass, '',
    array(select grant_ from (
        select format('grant %s on %s%s to %s%s', string_agg(lower(x.privilege_type), ', ' order by x.privilege_type),
            case c.relkind when 'S' then 'sequence ' else '' end, c.oid::regclass,
            case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end) as grant_
        from aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::\"char\", c.relowner))) x
        group by x.grantee, x.is_grantable
        union all
        select format('grant %s (%I) on %s to %s%s', lower(x.privilege_type), a.attname, c.oid::regclass,
            case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end)
        from pg_attribute a, aclexplode(a.attacl) x
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attacl is not null) g order by 1)
from pg_class c where c.oid = any ($1) and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') and $2 is not null",
};

pub(super) const ON_FUNCTIONS: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Functions,
    sql: "
select 'privileges', what.kind || ' ' || p.oid::regprocedure, what.kind || ' ' || p.oid::regprocedure, '',
    array(select format('grant execute on %s %s to %s%s', case p.prokind when 'p' then 'procedure' else 'function' end,
            p.oid::regprocedure, case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end)
        from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x order by 1)
from pg_proc p,
    lateral (select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end) what (kind)
where p.oid = any ($1) and p.proname <> $2 || '_run'
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                  and d.refclassid = 'pg_type'::regclass and d.deptype = 'i')",
};

pub(super) const ON_TYPES: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Types,
    sql: "
select 'privileges', what.kind || ' ' || format_type(t.oid, null), what.kind || ' ' || format_type(t.oid, null), '',
    array(select format('grant usage on type %s to %s%s', format_type(t.oid, null),
            case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end)
        from aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) x order by 1)
from pg_type t, lateral (select case t.typtype when 'd' then 'domain' else 'type' end) what (kind)
where t.oid = any ($1) and t.typtype <> 'm' and $2 is not null",
};

/// The schema, its privileges, and what the owner's new objects get; also of other roles, if they said so for this schema.
pub(super) const OF_THE_SCHEMA: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Schema,
    sql: "
select 'schema', $2, null, format('create schema %s', $2), array[format('owner to %I', pg_get_userbyid(n.nspowner))]
from pg_namespace n where n.oid = any ($1)
union all
select 'privileges', 'schema ' || $2, 'schema ' || $2, '',
    array(select format('grant %s on schema %s to %s%s', string_agg(lower(x.privilege_type), ', ' order by x.privilege_type), $2,
            case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end)
        from aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x group by x.grantee, x.is_grantable order by 1)
from pg_namespace n where n.oid = any ($1)
union all
select 'default privileges', format('%I %s', r.rolname, what.name) || case when scope.schema = 0 then '' else ' in its schema' end, null, '',
    array(select format('alter default privileges for role %I%s grant %s on %s to %s%s', r.rolname,
            case when scope.schema = 0 then '' else ' in schema ' || $2 end,
            string_agg(lower(x.privilege_type), ', ' order by x.privilege_type), what.name,
            case x.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end,
            case when x.is_grantable then ' with grant option' else '' end)
        from aclexplode(coalesce(a.defaclacl,
            case when scope.schema = 0 then acldefault(case what.code when 'S' then 's' else what.code end::\"char\", r.oid) end)) x
        group by x.grantee, x.is_grantable order by 1)
from (select o.oid, o.rolname, true as is_owner from pg_roles o where o.rolname = $2
      union
      select o.oid, o.rolname, false from pg_default_acl d join pg_roles o on o.oid = d.defaclrole
      where d.defaclnamespace = any ($1) and o.rolname <> $2) r
cross join (values ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types')) what (code, name)
cross join lateral (select 0::oid where r.is_owner union all select unnest($1)) scope (schema)
left join pg_default_acl a on a.defaclrole = r.oid and a.defaclnamespace = scope.schema and a.defaclobjtype::text = what.code",
};
