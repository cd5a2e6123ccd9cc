//! Writes rows in another tenant's name. It does not matter what refuses them, as long as none is written.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_forge",
    meaning: "a tenant plants rows among another tenant's",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees(
        r#"do $$ declare one record; seen text := ''; begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{pool}'::regnamespace and c.relkind in ('r', 'p') loop
        begin
            execute format('insert into %1$s select (jsonb_populate_record(null::%1$s, jsonb_build_object(''tenant_id'', ''{neighbour}''))).*', one.name);
            seen := concat_ws(', ', nullif(seen, ''), one.name);
        exception when others then null;
        end;
    end loop;
    perform set_config('tenantry.seen', seen, true);
end $$;
select current_setting('tenantry.seen')"#,
        "",
    )],
    remedy: None,
};
