//! Tables that the tenants of a blueprint share: the pool, its rules, and a tenant's rows in it.

pub mod pool_identity;
pub(in crate::postgres) mod pool_rules;
pub mod pool_upgrade;
pub mod pools;
pub mod shared_names;
pub mod tenant_rows;
