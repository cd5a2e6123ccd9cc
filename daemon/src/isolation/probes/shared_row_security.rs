//! Turns row-level security off for itself.

use super::shared_views::{READ_ALL, who_am_i};
use super::{Depth, Probe, Scope, sees_after};

pub(super) const PROBE: Probe = Probe {
    name: "shared_row_security",
    meaning: "a tenant reads all rows of the tables that tenants share",
    depth: Depth::Full,
    scope: Scope::Shared,
    attacks: &[sees_after(concat!(who_am_i!(), "set local row_security = off;"), READ_ALL, "")],
    remedy: None,
};
