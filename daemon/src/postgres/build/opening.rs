//! How an upgrade begins on its target: one message opens the transaction, holds the marker, and tells what the placement has.

use sqlx::PgConnection;
use sqlx::types::Json;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::outside_journal::{self, BegunStatement};
use super::runner::Build;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::literal;
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{AppliedFile, Mark, MarkerState, Use};

/// What the placement has when its upgrade begins.
#[derive(Debug)]
pub struct Opening {
    /// In the order of the ranks; of a file that ran several times, the last.
    pub history: Vec<AppliedFile>,
    /// The statements of a file that was cut short, in their order. Empty if the history has every file that was begun.
    pub begun: Vec<BegunStatement>,
    /// An earlier attempt has left the owner's login open, or a session of it.
    pub owner_is_open: bool,
}

type HistoryEntry = (i32, String, String, Option<Uuid>);
type BegunEntry = (String, i32, String, bool);
type OpeningRow =
    (Option<String>, Option<bool>, String, i32, bool, Json<Vec<HistoryEntry>>, Json<Vec<BegunEntry>>);

impl Build {
    /// Opens a transaction for the files of a tenant that stands. The marker is held for as long as the transaction is open: the
    /// next attempt waits for one whose COMMIT was lost, and then finds its files in the history.
    pub async fn upgrade(
        site: Site<'_>,
        ready: &Ready,
        mark: Mark,
        placement: &PlacementName,
        operation: OperationId,
    ) -> Result<(Self, Opening)> {
        let mut connection = site.acquire().await?;
        let (state, is_latest, xid, backend, owner_is_open, history, begun) =
            begin(&mut connection, mark, placement).await?;
        match (state, is_latest) {
            (Some(state), Some(true)) => {
                outside_journal::allow(MarkerState::parse(&state)?, site, Use::InUse)?
            }
            (Some(_), _) => return Err(Error::Fenced),
            (None, _) => return Err(Error::Unmarked { build: mark.build }),
        }
        let history: Vec<AppliedFile> = history.0.into_iter().map(applied).collect();
        let begun = begun.0.into_iter().map(BegunStatement::of_row).collect();
        let mut build = Self::within(connection, site, ready, placement, operation, (xid, backend));
        build.rank = history.iter().map(|file| file.rank + 1).max().unwrap_or(0);
        build.in_use = Use::InUse;
        build.is_owner = false;
        Ok((build, Opening { history, begun, owner_is_open }))
    }
}

async fn begin(connection: &mut PgConnection, mark: Mark, placement: &PlacementName) -> Result<OpeningRow> {
    let sql = format!(
        "begin; select state, is_latest, xid, backend, owner_is_open, history, begun
         from tenantry.begin_upgrade({}, {}, {})",
        literal(&mark.build.to_string()),
        mark.fence,
        literal(placement.as_str())
    );
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(connection).await;
    row.and_then(|row| sqlx::FromRow::from_row(&row)).map_err(doing("begin the upgrade"))
}

fn applied((rank, file, checksum, operation): HistoryEntry) -> AppliedFile {
    AppliedFile { rank, file, checksum, operation: operation.map(OperationId::from_uuid) }
}
