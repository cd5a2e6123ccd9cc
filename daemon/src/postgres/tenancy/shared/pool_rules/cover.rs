//! The cover: the daemon's policy on every table, as the daemon made it, and no other.

/// A query each, which gives a sentence for everything that it finds.
pub(super) const RULES: &[&str] = &[
    "select format('table %s has the policy %s, and the daemon''s must be the only one', b.relname, polname)
     from base b join pg_policy p on p.polrelid = b.oid where polname is distinct from $2",
    // The text is as PostgreSQL tells what `pool_ddl::COVER` says.
    "select format('row-level security is not in force on table %s', relname)
     from base b where $2 is not null and not (relrowsecurity and relforcerowsecurity
       and exists (select from pg_policy p
           cross join lateral (values (pg_get_expr(polqual, polrelid)), (pg_get_expr(polwithcheck, polrelid))) said (text)
           where p.polrelid = b.oid and p.polname = $2 and p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
           group by p.oid having bool_and(regexp_replace(said.text, '\\s+', ' ', 'g') = '(tenant_id = ( SELECT me.tenant_id FROM '
               'tenantry.pool_member me WHERE ((me.role = CURRENT_USER) AND me.is_open)))')))",
    "select format('the default of tenant_id in table %s is not the tenant that writes', relname)
     from base b where $2 is not null and tenant is not null and not exists (
         select from pg_attrdef d where d.adrelid = b.oid and d.adnum = b.tenant
           and pg_get_expr(d.adbin, d.adrelid) = 'tenantry_ext.tenantry_tenant()')",
];
