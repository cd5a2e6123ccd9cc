//! The probes, one file each. `{victim}` in an attack stands for the victim's placement.

mod create;
mod drop;
mod read;
mod set_role;
mod write;

/// One attack, and how it must be refused.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// Stable name, in reports.
    pub name: &'static str,
    /// What it would mean if it succeeded.
    pub meaning: &'static str,
    pub attack: &'static str,
    /// SQLSTATEs that count as refused.
    pub expected: &'static [&'static str],
}

/// The core battery: quick enough for each provisioning.
pub const PROBES: &[&Probe] = &[&read::PROBE, &write::PROBE, &create::PROBE, &drop::PROBE, &set_role::PROBE];

/// Those that reach beyond a database.
pub(super) const BEYOND: &[&Probe] = &[&set_role::PROBE];

/// insufficient_privilege
const REFUSED: &[&str] = &["42501"];
