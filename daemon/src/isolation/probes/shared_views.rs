//! Reads other tenants' rows in every shared table, and through every view of them.

use super::{Depth, Probe, Scope, sees_after};

/// Stores the tenant's identity where [`READ_ALL`] looks. It comes before the change that an attack makes: the identity
/// is also read from a table with row-level security, and a refusal there would say nothing about the tenants' tables.
macro_rules! who_am_i {
    () => {
        "do $$ begin perform set_config('tenantry.me', coalesce(tenantry_ext.tenantry_tenant()::text, ''), true); end $$; "
    };
}
pub(super) use who_am_i;

/// Lists the tables and views that show rows of other tenants.
pub(super) const READ_ALL: &str = r#"do $$ declare one record; n bigint; seen text := ''; begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and exists (
                   select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) loop
        begin
            execute format('select count(*) from %s where tenant_id::text is distinct from current_setting(''tenantry.me'')', one.name) into n;
            if n > 0 then seen := concat_ws(', ', nullif(seen, ''), format('%s rows of %s', n, one.name)); end if;
        exception when insufficient_privilege then null;
        end;
    end loop;
    perform set_config('tenantry.seen', seen, true);
end $$;
select current_setting('tenantry.seen')"#;

pub(super) const PROBE: Probe = Probe {
    name: "shared_views",
    meaning: "a tenant reads other tenants' rows through views",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees_after(who_am_i!(), READ_ALL, "")],
    remedy: None,
};
