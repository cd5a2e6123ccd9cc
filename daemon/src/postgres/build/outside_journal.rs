//! The journal of statements outside the transaction: each one is recorded before it runs, and again when it has run.
//!
//! Invariant: every entry is made under the marker, at the fence of the daemon that makes it. The next entry waits for one
//! whose COMMIT was lost, because both hold the marker.

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use crate::postgres::error::{Result, doing};
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{self, HistoryRow, Mark};

/// A statement of a file that runs outside the transaction.
#[derive(Debug, Clone, Copy)]
pub struct JournalEntry<'a> {
    pub mark: Mark,
    pub placement: &'a PlacementName,
    /// The file's rank in the history.
    pub rank: i32,
    /// Counted from 0 within the file.
    pub statement: i32,
}

/// What the journal says about a statement that is about to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementStanding {
    New,
    /// The statement was begun before, and nobody knows how far it came.
    Begun,
    Done,
}

/// Records that the statement runs now, and returns what was recorded before.
pub async fn begin(site: Site<'_>, entry: JournalEntry<'_>) -> Result<StatementStanding> {
    let mut connection = site.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to note a statement"))?;
    hold_building(&mut tx, entry.mark).await?;
    let is_applied = is_applied(&mut tx, entry.placement, entry.rank).await?;
    let is_done: Option<bool> = sqlx::query_scalar(
        "select done_at is not null from tenantry.outside_statement
         where placement = $1 and position = $2 and statement = $3",
    )
    .bind(entry.placement.as_str())
    .bind(entry.rank)
    .bind(entry.statement)
    .fetch_optional(&mut *tx)
    .await
    .map_err(doing("look for the statement's record"))?;
    let standing = match (is_applied, is_done) {
        (true, _) | (_, Some(true)) => StatementStanding::Done,
        (false, Some(false)) => StatementStanding::Begun,
        (false, None) => {
            sqlx::query(
                "insert into tenantry.outside_statement (placement, position, statement) values ($1, $2, $3)",
            )
            .bind(entry.placement.as_str())
            .bind(entry.rank)
            .bind(entry.statement)
            .execute(&mut *tx)
            .await
            .map_err(doing("note the statement's beginning"))?;
            StatementStanding::New
        }
    };
    tx.commit().await.map_err(doing("commit the statement's beginning"))?;
    Ok(standing)
}

/// Records that the statement has run.
pub async fn done(site: Site<'_>, entry: JournalEntry<'_>) -> Result<()> {
    let mut connection = site.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to note a statement's end"))?;
    hold_building(&mut tx, entry.mark).await?;
    sqlx::query(
        "update tenantry.outside_statement set done_at = clock_timestamp()
         where placement = $1 and position = $2 and statement = $3",
    )
    .bind(entry.placement.as_str())
    .bind(entry.rank)
    .bind(entry.statement)
    .execute(&mut *tx)
    .await
    .map_err(doing("note the statement's end"))?;
    tx.commit().await.map_err(doing("commit the statement's end"))
}

/// Records that all statements of a file have run: a row in the history replaces their entries.
pub async fn file_done(
    site: Site<'_>,
    mark: Mark,
    placement: &PlacementName,
    row: HistoryRow<'_>,
) -> Result<()> {
    let mut connection = site.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to note a file's end"))?;
    hold_building(&mut tx, mark).await?;
    if !is_applied(&mut tx, placement, row.rank).await? {
        marker::insert_history(&mut tx, placement, row).await?;
    }
    sqlx::query("delete from tenantry.outside_statement where placement = $1 and position = $2")
        .bind(placement.as_str())
        .bind(row.rank)
        .execute(&mut *tx)
        .await
        .map_err(doing("clear the file's statements"))?;
    tx.commit().await.map_err(doing("commit the file's end"))
}

/// A file in the history is finished for good, because its login was closed before.
pub async fn is_file_done(site: Site<'_>, placement: &PlacementName, rank: i32) -> Result<bool> {
    let mut connection = site.acquire().await?;
    is_applied(&mut connection, placement, rank).await
}

/// Locks the marker of a tenant that is still being made.
pub(super) async fn hold_building(connection: &mut PgConnection, mark: Mark) -> Result<()> {
    marker::hold(connection, mark).await?.require_building()
}

/// Whether the file is in the placement's history.
pub(super) async fn is_applied(
    connection: &mut PgConnection,
    placement: &PlacementName,
    rank: i32,
) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select from tenantry.migration_history where placement = $1 and rank = $2)",
    )
    .bind(placement.as_str())
    .bind(rank)
    .fetch_one(connection)
    .await
    .map_err(doing("look for the file in the history"))
}
