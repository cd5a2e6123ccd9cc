//! Archives in the registry: the place of each, and what was found in it when it was read back.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::archive::Archive;
use tenantry_protocol::id::{OperationId, TenantId};

use super::tenants::read;
use crate::postgres::error::{Result, doing};

/// Records an archive. If another daemon takes over the operation, it makes the archive again under the same name.
pub async fn record(tx: &mut PgConnection, tenant: TenantId, archive: &Archive) -> Result<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into control.archive (operation_id, tenant_id, made_at, path, size_bytes, sha256, tables, row_count, dumped_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (operation_id) do update set made_at = excluded.made_at, path = excluded.path,
            size_bytes = excluded.size_bytes, sha256 = excluded.sha256, tables = excluded.tables,
            row_count = excluded.row_count, dumped_by = excluded.dumped_by",
    )
    .bind(archive.operation_id.as_uuid())
    .bind(tenant.as_uuid())
    .bind(archive.made_at)
    .bind(&archive.path)
    .bind(number(archive.size_bytes))
    .bind(&archive.sha256)
    .bind(number(archive.tables))
    .bind(number(archive.rows))
    .bind(&archive.dumped_by)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("record the archive"))
}

/// A tenant's archives, newest first.
pub async fn of_tenant(pool: &PgPool, tenant: TenantId) -> Result<Vec<Archive>> {
    let rows = sqlx::query("select * from control.archive where tenant_id = $1 order by made_at desc")
        .bind(tenant.as_uuid())
        .fetch_all(pool)
        .await
        .map_err(doing("list the archives"))?;
    rows.iter().map(archive).collect()
}

fn archive(row: &PgRow) -> Result<Archive> {
    let number = |column| read::<i64>(row, column).map(i64::unsigned_abs);
    Ok(Archive {
        operation_id: OperationId::from_uuid(read(row, "operation_id")?),
        made_at: read(row, "made_at")?,
        path: read(row, "path")?,
        size_bytes: number("size_bytes")?,
        sha256: read(row, "sha256")?,
        tables: number("tables")?,
        rows: number("row_count")?,
        dumped_by: read(row, "dumped_by")?,
    })
}
