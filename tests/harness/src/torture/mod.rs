//! Operations that are broken on purpose: where and how, who else is on the server, and what must be left.

pub mod arena;
mod blueprints;
mod daemons;
pub mod faults;
mod fleet;
pub mod guests;
pub mod oracle;
mod pool;
pub mod proxy;
pub mod registry;
pub mod request;
pub mod script;
