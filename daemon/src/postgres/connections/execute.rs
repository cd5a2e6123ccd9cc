//! Runs SQL that [`crate::postgres::quote`] rendered: several statements in one message, without parameters or rows.

use sqlx::PgConnection;

use crate::postgres::error::{Result, doing};

/// `what` appears in the error.
pub(in crate::postgres) async fn execute(
    connection: &mut PgConnection,
    sql: String,
    what: &'static str,
) -> Result<()> {
    // Boxed: the driver's future is large, and every future that awaits this would contain all of it.
    let running = Box::pin(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection));
    running.await.map(|_| ()).map_err(doing(what))
}
