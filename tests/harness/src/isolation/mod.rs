//! What the isolation is tried with: misconfigurations that are planted, hostile blueprints, and tenants who take all connections.
//! The end-to-end tests try it on one server, `make isolation` on each version.

pub mod cases;
pub mod planted;
pub mod proving_ground;
pub mod slots;
pub mod trial;
