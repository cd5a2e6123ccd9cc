//! Reads another tenant's materialised view, which no policy covers.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "materialized_view",
    meaning: "a tenant reads another tenant's data where it was copied to",
    depth: Depth::Full,
    scope: Scope::Neighbour,
    attacks: &[refused("select * from {victim}.summary")],
    remedy: None,
};
