//! Drops another tenant's table.

use super::{Probe, REFUSED};

pub(super) const PROBE: Probe = Probe {
    name: "drop",
    meaning: "a tenant destroys another tenant's data",
    attack: "drop table {victim}.record",
    expected: REFUSED,
};
