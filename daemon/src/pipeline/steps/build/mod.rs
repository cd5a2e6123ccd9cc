//! The steps that build a tenant in one transaction, their runner, and the steps that run outside the transaction. A
//! build that was committed is undone by the removal of the whole tenant.

pub(in crate::pipeline) mod activate;
pub(in crate::pipeline) mod commit;
pub(in crate::pipeline) mod create_database;
mod files;
pub(in crate::pipeline) mod join;
pub(in crate::pipeline) mod migrations;
pub(in crate::pipeline) mod outside;
pub(in crate::pipeline) mod pool;
pub(in crate::pipeline) mod reserve;
pub(in crate::pipeline) mod roles;
pub(in crate::pipeline) mod schema;
pub(in crate::pipeline) mod seed;
pub(in crate::pipeline) mod verify;
