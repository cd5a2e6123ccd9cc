//! Reads another tenant's rows.

use super::{Probe, REFUSED};

pub(super) const PROBE: Probe = Probe {
    name: "read",
    meaning: "a tenant reads another tenant's data",
    attack: "select * from {victim}.record",
    expected: REFUSED,
};
