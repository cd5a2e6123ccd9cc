//! Checks for rights on its own tables that an application does not need.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "own_rights",
    meaning: "an application can empty tables, or run code in others' writes",
    depth: Depth::Full,
    scope: Scope::OwnSchema,
    attacks: &[sees(
        "select coalesce(string_agg(oid::regclass::text, ', '), '') from pg_class where relnamespace = '{own}'::regnamespace and relkind in ('r', 'p') and (has_table_privilege(oid, 'TRUNCATE') or has_table_privilege(oid, 'TRIGGER') or has_table_privilege(oid, 'REFERENCES'))",
        "",
    )],
    remedy: None,
};
