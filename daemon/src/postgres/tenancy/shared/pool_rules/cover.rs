//! The cover: every table has the daemon's policy, as the daemon made it, and no other policy.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('table %s has the policy %s, and the daemon''s must be the only one', b.relname, polname)
     from base b join pg_policy p on p.polrelid = b.oid where polname is distinct from $2",
    // The text is the form in which PostgreSQL prints the expression of `pool_ddl::COVER`.
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
