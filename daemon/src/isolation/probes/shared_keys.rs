//! Uses unique and foreign keys to find out which values other tenants have: an error, or ON CONFLICT, would tell.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_keys",
    meaning: "a tenant learns other tenants' values one guess at a time",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[
        sees(
            r#"select coalesce(string_agg(i.indexrelid::regclass::text, ', '), '') from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = '{pool}'::regnamespace and i.indisunique and not exists (select from pg_attribute a where a.attrelid = i.indrelid and a.attname = 'tenant_id' and a.attnum = any (i.indkey))"#,
            "",
        ),
        sees(
            r#"select coalesce(string_agg(k.conname, ', '), '') from pg_constraint k where k.connamespace = '{pool}'::regnamespace and k.contype = 'f' and not exists (select from pg_attribute a where a.attrelid = k.conrelid and a.attname = 'tenant_id' and a.attnum = any (k.conkey))"#,
            "",
        ),
    ],
    remedy: None,
};
