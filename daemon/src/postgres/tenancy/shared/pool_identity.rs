//! Which pool belongs to a blueprint's version, and that it stays so while a tenant joins it.

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;

use crate::postgres::error::{Error, Result, doing};

/// Identifies a pool by the blueprint's version, and also by its content, in case two registries share a target.
#[derive(Debug, Clone)]
pub struct Identity {
    pub blueprint: String,
    pub version: String,
    /// SHA-256 in hexadecimal.
    pub checksum: String,
}

/// Keeps the pool at this version until the transaction ends. [`Error::PoolMoved`] if it has another one.
pub(super) async fn stay(
    connection: &mut PgConnection,
    pool: &PlacementName,
    identity: &Identity,
) -> Result<()> {
    let stays: Option<i32> = sqlx::query_scalar(
        "select 1 from tenantry.pool where placement = $1 and blueprint = $2 and version = $3 and checksum = $4 and is_open
         for share",
    )
    .persistent(false)
    .bind(pool.as_str())
    .bind(&identity.blueprint)
    .bind(&identity.version)
    .bind(&identity.checksum)
    .fetch_optional(connection)
    .await
    .map_err(doing("keep the pool at its version"))?;
    stays.map(|_| ()).ok_or(Error::PoolMoved)
}
