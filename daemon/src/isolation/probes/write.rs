//! Writes a row into another tenant's table.

use super::{Probe, REFUSED};

pub(super) const PROBE: Probe = Probe {
    name: "write",
    meaning: "a tenant changes another tenant's data",
    attack: "insert into {victim}.record (id, note) values (666, 'intruder')",
    expected: REFUSED,
};
