//! Checks for the right to grant rights on another tenant's table.

use super::{Depth, Probe, Scope, sees};

pub(super) const PROBE: Probe = Probe {
    name: "grant",
    meaning: "a tenant opens another tenant's data",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    // A GRANT that grants nothing raises only a warning and succeeds, so the catalog is read instead.
    attacks: &[
        sees(
            "select coalesce(bool_or(has_table_privilege(oid, 'SELECT WITH GRANT OPTION')), false)::text from pg_class where relnamespace = to_regnamespace('{victim}') and relkind = 'r'",
            "false",
        ),
        sees(
            "select has_schema_privilege(to_regnamespace('{victim}'), 'USAGE WITH GRANT OPTION')::text",
            "false",
        ),
    ],
    remedy: None,
};
