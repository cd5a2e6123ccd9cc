//! The journal of statements outside the transaction: each one is recorded before it runs, and again when it has run.
//!
//! Invariant: every entry is made under the marker, at the fence of the daemon that makes it. The next entry waits for one
//! whose COMMIT was lost, because both hold the marker.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use crate::postgres::error::{Result, doing};
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{self, HistoryRow, Mark, MarkerState, Use};

/// A statement of a file that runs outside the transaction.
#[derive(Debug, Clone, Copy)]
pub struct JournalEntry<'a> {
    pub mark: Mark,
    pub in_use: Use,
    pub placement: &'a PlacementName,
    /// The file's rank in the history.
    pub rank: i32,
    pub file: &'a str,
    /// Counted from 0 within the file.
    pub statement: i32,
    /// SHA-256 of the statement's text, in hexadecimal.
    pub checksum: &'a str,
    pub binds: Binds,
}

/// Whether a statement that was begun and not done binds later versions to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binds {
    /// It may have left something half-made, which only the same statement can follow.
    ToItsText,
    /// What its batches committed is whole, and another text can follow it.
    ToNothing,
}

/// Stands before the checksum of a statement that binds to nothing.
const UNBOUND: &str = "batched ";

impl JournalEntry<'_> {
    fn stored_checksum(&self) -> String {
        match self.binds {
            Binds::ToItsText => self.checksum.to_owned(),
            Binds::ToNothing => format!("{UNBOUND}{}", self.checksum),
        }
    }
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
    hold(&mut tx, site, entry.mark, entry.in_use).await?;
    let is_applied = is_applied(&mut tx, entry.placement, entry.rank).await?;
    let found: Option<(bool, bool)> = sqlx::query_as(
        "select done_at is not null, (file, checksum) is not distinct from ($4, $5) or checksum is null
         from tenantry.outside_statement where placement = $1 and position = $2 and statement = $3",
    )
    .bind(entry.placement.as_str())
    .bind(entry.rank)
    .bind(entry.statement)
    .bind(entry.file)
    .bind(entry.stored_checksum())
    .fetch_optional(&mut *tx)
    .await
    .map_err(doing("look for the statement's record"))?;
    let standing = match (is_applied, found) {
        (true, _) | (_, Some((true, _))) => StatementStanding::Done,
        (false, Some((false, true))) => StatementStanding::Begun,
        // Also in place of another statement, which bound to nothing.
        (false, None | Some((false, false))) => {
            sqlx::query(
                "insert into tenantry.outside_statement (placement, position, statement, file, checksum)
                 values ($1, $2, $3, $4, $5)
                 on conflict on constraint outside_statement_pk do update
                 set file = excluded.file, checksum = excluded.checksum, begun_at = clock_timestamp()",
            )
            .bind(entry.placement.as_str())
            .bind(entry.rank)
            .bind(entry.statement)
            .bind(entry.file)
            .bind(entry.stored_checksum())
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
    hold(&mut tx, site, entry.mark, entry.in_use).await?;
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

/// Forgets a statement that the server refused and that left nothing.
pub async fn forget(site: Site<'_>, entry: JournalEntry<'_>) -> Result<()> {
    let mut connection = site.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to forget a statement"))?;
    hold(&mut tx, site, entry.mark, entry.in_use).await?;
    sqlx::query(
        "delete from tenantry.outside_statement where placement = $1 and position = $2 and statement = $3",
    )
    .bind(entry.placement.as_str())
    .bind(entry.rank)
    .bind(entry.statement)
    .execute(&mut *tx)
    .await
    .map_err(doing("forget the statement"))?;
    tx.commit().await.map_err(doing("commit that a statement is forgotten"))
}

/// Records that all statements of a file have run: a row in the history replaces their entries.
pub async fn file_done(
    site: Site<'_>,
    mark: Mark,
    in_use: Use,
    placement: &PlacementName,
    row: HistoryRow<'_>,
    duration: Duration,
) -> Result<()> {
    let mut connection = site.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to note a file's end"))?;
    hold(&mut tx, site, mark, in_use).await?;
    if !is_applied(&mut tx, placement, row.rank).await? {
        marker::insert_history(&mut tx, placement, row, duration).await?;
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

/// Locks the marker of a tenant that is being made, or of one that stands.
pub(super) async fn hold(
    connection: &mut PgConnection,
    site: Site<'_>,
    mark: Mark,
    in_use: Use,
) -> Result<()> {
    allow(marker::hold(connection, mark).await?, site, in_use)
}

/// Refuses unless the placement is as it must be for this use.
pub(super) fn allow(state: MarkerState, site: Site<'_>, in_use: Use) -> Result<()> {
    match in_use {
        Use::InUse if !site.is_own_database() => state.require_standing(),
        // In a database of its own, the marker stays as the build left it. The reservation says that the tenant stands.
        Use::InUse | Use::Unused => state.require_building(),
    }
}

/// A statement that was begun, of a file that is not in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunStatement {
    pub file: String,
    /// Counted from 0 within the file.
    pub statement: usize,
    /// SHA-256 of its text, in hexadecimal.
    pub checksum: String,
    pub binds: Binds,
}

impl BegunStatement {
    /// From its file, its number, the checksum as it is stored, and whether it has run.
    pub(super) fn of_row((file, statement, checksum, is_done): (String, i32, String, bool)) -> Self {
        let unbound = checksum.strip_prefix(UNBOUND);
        let binds = if unbound.is_some() && !is_done { Binds::ToNothing } else { Binds::ToItsText };
        Self {
            file,
            statement: usize::try_from(statement).unwrap_or_default(),
            checksum: unbound.map_or(checksum.clone(), str::to_owned),
            binds,
        }
    }
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
