//! Secrets of tenants.

pub(super) mod secrets;
pub(super) mod tenant_lock;
