//! Creates a table in another tenant's schema.

use super::{Probe, REFUSED};

pub(super) const PROBE: Probe = Probe {
    name: "create",
    meaning: "a tenant puts objects, and so code, into another tenant's schema",
    attack: "create table {victim}.intruder (id integer)",
    expected: REFUSED,
};
