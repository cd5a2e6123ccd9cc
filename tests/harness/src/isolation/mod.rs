//! What the isolation is tested with: planted misconfigurations, hostile blueprints, and tenants that take all connections.
//! The end-to-end tests use it on one server, `make isolation` on each version.

pub mod cases;
pub mod planted;
pub mod proving_ground;
pub mod slots;
pub mod trial;
