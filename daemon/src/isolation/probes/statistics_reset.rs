//! Resets the server's statistics.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "statistics_reset",
    meaning: "a tenant blinds the server's autovacuum and its administrators",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[refused("select pg_stat_reset()")],
    remedy: None,
};
