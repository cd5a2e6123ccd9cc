//! How far a partition is that is detached concurrently: the server does it in two transactions, and can be cut short between them.

use tenantry_protocol::name::PlacementName;

use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::location::Site;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detachment {
    Attached,
    /// The first transaction is committed: queries of the table leave the partition out, and the rest is to be done.
    Pending,
    /// It is no longer a partition of that table, or never was.
    Gone,
}

/// How the partition stands to its table, both in the tenant's schema.
pub async fn standing(
    site: Site<'_>,
    placement: &PlacementName,
    table: &str,
    partition: &str,
) -> Result<Detachment> {
    let mut connection = site.acquire().await?;
    let pending: Option<bool> = sqlx::query_scalar(
        "select i.inhdetachpending
         from pg_namespace n
         join pg_class t on t.relnamespace = n.oid and t.relname = $2
         join pg_class p on p.relnamespace = n.oid and p.relname = $3
         join pg_inherits i on i.inhparent = t.oid and i.inhrelid = p.oid
         where n.nspname = $1 and p.relispartition",
    )
    .bind(placement.as_str())
    .bind(table)
    .bind(partition)
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing("look how far a partition is detached"))?;
    Ok(match pending {
        Some(true) => Detachment::Pending,
        Some(false) => Detachment::Attached,
        None => Detachment::Gone,
    })
}

/// The statement that does the rest.
pub fn finish(table: &str, partition: &str) -> String {
    format!("alter table {} detach partition {} finalize", identifier(table), identifier(partition))
}
