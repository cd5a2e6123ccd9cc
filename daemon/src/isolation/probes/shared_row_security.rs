//! Turns row-level security off for itself. Who it is, it asks before that: the answer comes out of a table with row-level
//! security, too, and to be refused there says nothing of the tenants' tables.

use super::{Depth, Probe, Scope, sees_after};

pub(super) const PROBE: Probe = Probe {
    name: "shared_row_security",
    meaning: "a tenant reads all rows of the tables that tenants share",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees_after(
        "do $$ begin perform set_config('tenantry.me', tenantry_ext.tenantry_tenant()::text, true); end $$; set local row_security = off;",
        r#"do $$ declare one record; n bigint; seen text := ''; begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and exists (
                   select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) loop
        begin
            execute format('select count(*) from %s where tenant_id is distinct from current_setting(''tenantry.me'')::uuid', one.name) into n;
            if n > 0 then seen := concat_ws(', ', nullif(seen, ''), format('%s rows of %s', n, one.name)); end if;
        exception when insufficient_privilege then null;
        end;
    end loop;
    perform set_config('tenantry.seen', seen, true);
end $$;
select current_setting('tenantry.seen')"#,
        "",
    )],
    remedy: None,
};
