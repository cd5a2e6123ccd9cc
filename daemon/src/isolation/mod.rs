//! Verification by attack: logs in as the tenant, tries what must not work, and checks that the victim is unchanged. In
//! addition, reads the catalog, which shows holes that no attack has used yet.
//!
//! A probe's SQL is in the probe's file, and a lint's in the lint's. Nothing here changes a tenant: the effects of an
//! attack are rolled back.

mod battery;
pub mod elsewhere;
pub mod lints;
pub mod probes;
mod report;
mod residual;

pub use battery::{BATTERY_VERSION, Ground};
pub use report::{Looked, attack, look, uncovered};
