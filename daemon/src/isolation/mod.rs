//! Verification by attack: log in as the tenant, try what must not work, and look whether the victim noticed.
//!
//! A probe's SQL lives with the probe. Nothing here changes a tenant; what an attack would have changed is rolled back.

mod battery;
pub mod elsewhere;
pub mod probes;

pub use battery::{BATTERY_VERSION, attack};
