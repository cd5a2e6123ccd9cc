//! Changes and deletes other tenants' rows in every shared table.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_write",
    meaning: "a tenant changes other tenants' rows in the tables that they share",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees(
        r#"do $$ declare one record; n bigint; seen text := ''; change text; begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind in ('r', 'p') loop
        foreach change in array array['delete from %s where tenant_id is distinct from tenantry_ext.tenantry_tenant()',
                                      'update %s set tenant_id = tenant_id where tenant_id is distinct from tenantry_ext.tenantry_tenant()'] loop
            begin
                execute format(change, one.name);
                get diagnostics n = row_count;
                if n > 0 then seen := concat_ws(', ', nullif(seen, ''), format('%s rows of %s', n, one.name)); end if;
            exception when insufficient_privilege then null;
            end;
        end loop;
    end loop;
    perform set_config('tenantry.seen', seen, true);
end $$;
select current_setting('tenantry.seen')"#,
        "",
    )],
    remedy: None,
};
