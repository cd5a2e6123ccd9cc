//! Reads the samples that the planner keeps of another tenant's rows.

use super::{Depth, Probe, Scope, refused, sees};

pub(super) const PROBE: Probe = Probe {
    name: "statistics",
    meaning: "a tenant reads another tenant's values in the statistics",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[
        sees("select count(*)::text from pg_stats where schemaname = '{victim}'", "0"),
        refused("select stavalues1 from pg_statistic"),
    ],
    remedy: None,
};
