//! What tenancies have of their own: shared tables, and databases for one tenant.

pub mod database;
pub mod shared;
