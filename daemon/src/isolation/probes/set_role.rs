//! Becomes another tenant's owner.

use super::{Probe, REFUSED};

pub(super) const PROBE: Probe = Probe {
    name: "set_role",
    meaning: "a tenant takes over another tenant's role, and with it everything",
    attack: "set role {victim}",
    expected: REFUSED,
};
