//! Tenants, blueprints, clients and other users of the machine that try to get what is not theirs.

mod flood;
mod host_paths;
mod hostile_clients;
pub(crate) mod hostile_migrations;
pub(crate) mod hostile_pools;
mod isolation;
pub(crate) mod log_injection;
mod planted_secrets;
mod slots;
mod target_doors;
mod tenancy_database;
pub(crate) mod tenancy_shared;
