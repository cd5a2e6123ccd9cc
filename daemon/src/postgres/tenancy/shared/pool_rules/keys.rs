//! Keys and references: none of them may compare rows of different tenants, or change which tenant a row belongs to.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('table %s has no column tenant_id of type uuid that is not null', relname) from base where tenant is null",
    "select format('%s of table %s does not contain tenant_id, so that it tells tenants of each other''s rows', x.relname, b.relname)
     from base b join pg_index i on i.indrelid = b.oid join pg_class x on x.oid = i.indexrelid
     where b.tenant is not null and (i.indisunique or i.indisexclusion)
       and not b.tenant = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])",
    // An exclusion constraint, or a key WITHOUT OVERLAPS, names the operator of each column.
    "select format('%s of table %s does not compare tenant_id by equality, so that it tells tenants of each other''s rows: write '
            'tenant_id with =', x.relname, b.relname)
     from base b join pg_index i on i.indrelid = b.oid join pg_class x on x.oid = i.indexrelid
     where b.tenant is not null and i.indisexclusion and b.tenant = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
       and not exists (
           select from pg_constraint k, unnest(k.conkey, k.conexclop) as pair (attribute, operator)
           where k.conindid = i.indexrelid and k.contype in ('x', 'p', 'u') and attribute = b.tenant
             and operator = 'pg_catalog.=(uuid,uuid)'::regoperator)",
    "select format('the foreign key %s of table %s does not compare tenant_id with tenant_id', conname, relname)
     from reference where tenant is not null
       and not exists (select from unnest(conkey, confkey) as pair (a, b) where a = tenant and b = other)",
    "select format('the foreign key %s of table %s would set tenant_id: name the columns, as in on delete set null (x)',
            conname, relname)
     from reference where confdeltype = 'n' and (confdelsetcols is null or tenant = any (confdelsetcols))",
    "select format('the foreign key %s of table %s would set tenant_id when the key that it refers to changes: use on update cascade, '
            'or no action', conname, relname)
     from reference where confupdtype in ('n', 'd')",
    "select format('the foreign key %s of table %s sets columns to their defaults, which PostgreSQL evaluates with the rights of the '
            'tables'' owner and past every policy: use on delete set null (x)', conname, relname)
     from reference where confdeltype = 'd'",
];
