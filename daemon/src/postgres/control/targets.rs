//! Targets in the registry, which tenants refer to. Their connections stay in the configuration.

use sqlx::PgConnection;
use tenantry_protocol::name::TargetName;

use crate::postgres::error::{Result, doing};

/// Records a target of the configuration, whether it is new or known.
pub async fn upsert(
    tx: &mut PgConnection,
    name: &TargetName,
    address: &str,
    capacity: Option<u64>,
    in_maintenance: bool,
) -> Result<()> {
    sqlx::query(
        "insert into control.target (name, address, capacity, in_maintenance) values ($1, $2, $3, $4)
         on conflict on constraint target_pk do update
         set address = excluded.address, capacity = excluded.capacity, in_maintenance = excluded.in_maintenance,
             last_seen_at = now()",
    )
    .bind(name.as_str())
    .bind(address)
    .bind(capacity.map(|n| i64::try_from(n).unwrap_or(i64::MAX)))
    .bind(in_maintenance)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("note the target"))
}
