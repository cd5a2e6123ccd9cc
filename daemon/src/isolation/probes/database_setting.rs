//! Changes a setting of the whole database.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "database_setting",
    meaning: "a tenant changes how every other tenant's statements run",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused(
        "do $$ begin execute format('alter database %I set work_mem = %L', current_database(), '1GB'); end $$",
    )],
    remedy: None,
};
