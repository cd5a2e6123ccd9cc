//! Checks for rights on the shared tables that row-level security does not restrict: TRUNCATE, TRIGGER, REFERENCES.

use super::{Depth, Probe, Scope, refused, sees};

pub(super) const PROBE: Probe = Probe {
    name: "shared_rights",
    meaning: "a tenant empties the tables that all share, or looks for rows by foreign keys",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[
        sees(
            r#"select coalesce(string_agg(oid::regclass::text, ', '), '') from pg_class where relnamespace = '{pool}'::regnamespace and relkind in ('r', 'p') and (has_table_privilege(oid, 'TRUNCATE') or has_table_privilege(oid, 'TRIGGER') or has_table_privilege(oid, 'REFERENCES'))"#,
            "",
        ),
        refused(r#"create table {pool}.intruder (id integer)"#),
    ],
    remedy: None,
};
