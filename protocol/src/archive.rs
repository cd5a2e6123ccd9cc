//! Archives: a tenant's data in a file, made before the tenant is removed.
//!
//! A file is only named by its path on the daemon's machine; its content is never sent over the socket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::OperationId;

/// A tenant's data in a file on the daemon's machine, made before it was removed, and read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// The operation that made it.
    pub operation_id: OperationId,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub made_at: OffsetDateTime,
    /// In the custom format of `pg_dump`, for `pg_restore`.
    pub path: String,
    pub size_bytes: u64,
    /// Of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// Tables in it; each partition is a table too.
    pub tables: u64,
    /// Rows in all tables: counted in the database, and again in the file.
    pub rows: u64,
    /// The `pg_dump` that wrote it; a `pg_restore` of this version or a newer one reads it.
    pub dumped_by: String,
}
