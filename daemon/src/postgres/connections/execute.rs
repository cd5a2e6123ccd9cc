//! Runs SQL that [`crate::postgres::quote`] rendered: several statements in one message, without parameters or rows.

use sqlx::PgConnection;

use crate::postgres::error::{Result, doing};

/// `what` is said in the error.
pub(in crate::postgres) async fn execute(
    connection: &mut PgConnection,
    sql: String,
    what: &'static str,
) -> Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(|_| ()).map_err(doing(what))
}
