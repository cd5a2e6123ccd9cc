//! Says by settings that it is another tenant, as applications do that trust them.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_context",
    meaning: "a tenant reads other tenants' rows by a setting that anybody may set",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees(
        r#"do $$ declare one record; n bigint; seen text := ''; begin
    perform set_config(name, '{neighbour}', true) from unnest(array['tenantry.tenant', 'tenantry.tenant_id', 'app.tenant', 'app.tenant_id', 'app.current_tenant', 'rls.tenant_id']) name;
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and exists (
                   select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) loop
        begin
            execute format('select count(*) from %s where tenant_id is distinct from tenantry_ext.tenantry_tenant()', one.name) into n;
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
