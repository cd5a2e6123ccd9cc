//! Reads other tenants' rows in the three largest shared tables: enough to see that the tenant is tied to its own rows, and
//! each table more costs a provision a millisecond. `shared_views` reads all of them.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_read",
    meaning: "a tenant reads other tenants' rows in the tables that they share",
    depth: Depth::Core,
    scope: Scope::Shared,
    attacks: &[sees(
        r#"do $$ declare one record; leaks boolean; seen text := ''; begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind = 'r' order by pg_relation_size(c.oid) desc, c.oid limit 3 loop
        begin
            execute format('select exists (select from %s where tenant_id is distinct from tenantry_ext.tenantry_tenant())', one.name)
                into leaks;
            if leaks then seen := concat_ws(', ', nullif(seen, ''), one.name); end if;
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
