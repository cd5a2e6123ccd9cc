//! Verification by attack: log in as the tenant, try what must not work, and look whether the victim noticed; and beside
//! it the catalog, which shows holes that no attack has used yet.
//!
//! A probe's SQL lives with the probe, a lint's with the lint. Nothing here changes a tenant: what an attack would have
//! changed is rolled back.

mod battery;
pub mod elsewhere;
pub mod lints;
pub mod probes;
mod report;
mod residual;

pub use battery::{BATTERY_VERSION, Ground};
pub use report::{Looked, attack, look, uncovered};
