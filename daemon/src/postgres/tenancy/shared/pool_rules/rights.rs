//! Rights: exactly those that the daemon grants. A blueprint may revoke some of them from its application, but
//! may not grant them to others.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('%s has %s%s on %s, which it must not have', coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC'), privilege_type,
            case when is_grantable then ' with grant option' else '' end, object)
     from granted, pool
     where grantee <> owner
       and not coalesce(
           not is_grantable and grantee = app and privilege_type = any (case kind
               when 'table' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] when 'sequence' then array['USAGE', 'SELECT']
               when 'function' then array['EXECUTE'] when 'schema' then array['USAGE'] when 'type' then array['USAGE']
               else '{}' end)
           -- Everybody may name a type, unless that was taken away.
           or kind = 'type' and grantee = 0 and not is_grantable, false)",
    "select format('a tenant may not select, insert, update and delete in table %s, so that its rows could not be removed', relname)
     from base, pool
     where not (has_table_privilege(app, base.oid, 'select') and has_table_privilege(app, base.oid, 'insert')
       and has_table_privilege(app, base.oid, 'update') and has_table_privilege(app, base.oid, 'delete'))",
    // Nothing that would need them is made in a finished pool any more, and a tenant could drop them. Default
    // privileges of the role that all tenants are members of are not a finding: each tenant could have made them,
    // and the daemon removes them.
    "select format('%s has %s on future objects (%s), which it must not have', coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC'),
            privilege_type, defaclobjtype)
     from pool, pg_default_acl d, aclexplode(d.defaclacl) a
     where d.defaclrole = owner and grantee <> d.defaclrole and ($2 is not null or grantee is distinct from app
         or is_grantable or privilege_type <> all (case defaclobjtype when 'r' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE']
            when 'S' then array['USAGE', 'SELECT'] when 'f' then array['EXECUTE'] else '{}' end))",
    "select format('%s is a member of %s, which no tenant is', m.member::regrole, m.roleid::regrole)
     from pool join pg_auth_members m on m.roleid = owner or m.member = owner
     where m.member <> to_regrole(quote_ident(current_user))",
    "select format('%s is a member of %s', m.member::regrole, m.roleid::regrole)
     from pool join pg_auth_members m on m.roleid = app
     where m.member <> to_regrole(quote_ident(current_user))
       and not exists (select from tenantry.pool_member t where t.pool = $1 and t.role = m.member::regrole::text)",
    "select format('%s is a member of %s', m.member::regrole, m.roleid::regrole)
     from pool join pg_auth_members m on m.member = app
     where m.roleid <> to_regrole(quote_ident((select group_role from tenantry.target_identity)))",
    "select format('%s %s, which no role of a pool may', r.rolname, says)
     from pool join pg_roles r on r.oid in (owner, app)
     cross join lateral (values ('is a superuser', r.rolsuper), ('makes roles', r.rolcreaterole), ('makes databases', r.rolcreatedb),
         ('replicates', r.rolreplication), ('passes row-level security', r.rolbypassrls), ('logs in', r.rolcanlogin)) a (says, is_so)
     where is_so",
];
