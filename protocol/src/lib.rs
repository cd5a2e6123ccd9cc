//! The contract between `tenantryd` and its clients: wire types, error codes and the RPC service.
//!
//! Invariant: no I/O and no dependency on our other crates. The contract is versioned by [`PROTOCOL_VERSION`]; fields and
//! methods are added, never renamed or removed. Requests carry plain strings, which the daemon parses and answers for
//! field by field; responses carry the validated newtypes.

pub mod archive;
pub mod audit;
pub mod blueprint;
pub mod brief;
pub mod chain;
pub mod endpoint;
pub mod error;
pub mod frame;
pub mod id;
pub mod isolation;
pub mod methods;
pub mod name;
pub mod operation;
pub mod plan;
pub mod schema;
pub mod service;
pub mod session;
pub mod target;
pub mod tenant;
pub mod text;
pub mod upgrade;
pub mod watch;

pub use error::{ApiError, ErrorCode};
pub use service::{PROTOCOL_VERSION, TenantryClient, TenantryRequest, TenantryResponse};
