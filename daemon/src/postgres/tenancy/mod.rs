//! What is specific to the tenancies: shared tables, and databases of one tenant each.

pub mod database;
pub mod shared;
