//! The marker of a build on its target. It is the fence and the witness of the build.
//!
//! The first statement of a build inserts it. [`super::settlement`] uses it to find out what became of the build.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Row as _};
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::Target;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::literal;

/// The owner of the build that a marker stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Tenant(TenantId),
    Canary,
    /// The reservation of the canary with a database of its own.
    CanaryDatabase,
    /// The tables of many tenants.
    Pool,
    /// Nobody: an upgrade is tried on it, and then it is removed.
    Rehearsal,
}

/// The build that made a placement, and the epoch under which the placement is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The key of the marker.
    pub build: OperationId,
    /// The epoch of the daemon's hold on the control database.
    pub fence: i64,
}

/// The state of a placement, according to its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerState {
    Building,
    Active,
    Suspended,
    Removing,
    Removed,
    /// Its build was never committed.
    Void,
}

impl MarkerState {
    const ALL: [Self; 6] =
        [Self::Building, Self::Active, Self::Suspended, Self::Removing, Self::Removed, Self::Void];

    /// The name in the bookkeeping.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removing => "removing",
            Self::Removed => "removed",
            Self::Void => "void",
        }
    }

    /// Whether parts of the placement may be gone.
    pub const fn is_going(self) -> bool {
        matches!(self, Self::Removing | Self::Removed)
    }

    /// Refuses unless the placement is still being made.
    pub fn require_building(self) -> Result<()> {
        if self == Self::Building {
            return Ok(());
        }
        let name = self.name();
        Err(Error::Refused(format!("the placement is {name} on its target, and no longer being made")))
    }

    /// Refuses unless the placement stands, whether its logins are open or closed.
    pub fn require_standing(self) -> Result<()> {
        if matches!(self, Self::Active | Self::Suspended) {
            return Ok(());
        }
        let name = self.name();
        Err(Error::Refused(format!(
            "the placement is {name} on its target, and only one that stands is upgraded"
        )))
    }

    pub(in crate::postgres) fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| Error::Corrupt {
            what: "the marker's state",
            why: format!("this build knows no '{}'", name.escape_debug()),
        })
    }
}

impl Owner {
    /// The kind and the tenant in the marker's row.
    fn row(self) -> (&'static str, Option<Uuid>) {
        match self {
            Self::Tenant(id) => ("tenant", Some(id.as_uuid())),
            Self::Canary => ("canary", None),
            Self::CanaryDatabase => ("canary_database", None),
            Self::Pool => ("pool", None),
            Self::Rehearsal => ("rehearsal", None),
        }
    }
}

/// Inserts the marker. This must be the first statement of the build's transaction.
pub async fn insert_marker(
    connection: &mut PgConnection,
    mark: Mark,
    placement: &PlacementName,
    owner: Owner,
) -> Result<()> {
    let (kind, tenant) = owner.row();
    sqlx::query(
        "insert into tenantry.placement (operation_id, kind, placement, tenant_id, state, fence)
         values ($1, $2, $3, $4, 'building', $5)",
    )
    .persistent(false)
    .bind(mark.build.as_uuid())
    .bind(kind)
    .bind(placement.as_str())
    .bind(tenant)
    .bind(mark.fence)
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(doing("insert the marker"))
}

/// Like [`hold`], but makes the marker if it is missing. This is for a reservation, which does not stand for a single
/// transaction.
pub(in crate::postgres) async fn claim(
    connection: &mut PgConnection,
    mark: Mark,
    placement: &PlacementName,
    owner: Owner,
) -> Result<MarkerState> {
    let (kind, tenant) = owner.row();
    let held: Option<(String, bool)> = sqlx::query_as(
        "insert into tenantry.placement as p (operation_id, kind, placement, tenant_id, state, fence)
         values ($1, $2, $3, $4, 'building', $5)
         on conflict on constraint placement_pk do update set fence = greatest(p.fence, excluded.fence)
             where p.kind <> 'tombstone' and p.placement = excluded.placement
         returning state, fence = $5",
    )
    .bind(mark.build.as_uuid())
    .bind(kind)
    .bind(placement.as_str())
    .bind(tenant)
    .bind(mark.fence)
    .fetch_optional(connection)
    .await
    .map_err(doing("insert the reservation"))?;
    match held {
        Some((state, true)) => MarkerState::parse(&state),
        Some((_, false)) => Err(Error::Fenced),
        // The operation was abandoned meanwhile.
        None => Err(Error::MarkerExists),
    }
}

/// Moves a marker to another state. The row must exist.
pub async fn set_state(
    connection: &mut PgConnection,
    operation: OperationId,
    state: MarkerState,
) -> Result<()> {
    let changed =
        sqlx::query("update tenantry.placement set state = $2, updated_at = now() where operation_id = $1")
            .bind(operation.as_uuid())
            .bind(state.name())
            .execute(connection)
            .await
            .map_err(doing("change the marker's state"))?;
    if changed.rows_affected() == 1 { Ok(()) } else { Err(Error::Unmarked { build: operation }) }
}

/// Locks a standing placement until the transaction ends, and raises its fence. This is the first statement of each change.
/// Returns the marker's state, [`Error::Fenced`] if a later daemon changed it, or [`Error::Unmarked`] if there is no marker.
pub async fn hold(connection: &mut PgConnection, mark: Mark) -> Result<MarkerState> {
    let held: Option<(String, bool)> = sqlx::query_as(
        "update tenantry.placement set fence = greatest(fence, $2)
         where operation_id = $1 and kind <> 'tombstone' returning state, fence = $2",
    )
    .bind(mark.build.as_uuid())
    .bind(mark.fence)
    .fetch_optional(connection)
    .await
    .map_err(doing("hold the marker"))?;
    match held {
        Some((state, true)) => MarkerState::parse(&state),
        Some((_, false)) => Err(Error::Fenced),
        None => Err(Error::Unmarked { build: mark.build }),
    }
}

/// A file that was applied.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRow<'a> {
    /// The file's place in the placement's history, from 0. A rank is given once.
    pub rank: i32,
    /// The build or the upgrade that applied it.
    pub operation: OperationId,
    pub file: &'a str,
    pub checksum: &'a str,
    pub statements: i32,
}

/// Refuses unless the placement stands, and raises its fence. For a tenant with a database of its own, `mark` is its reservation.
pub async fn check_standing(target: &Target, mark: Mark) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to look at the placement"))?;
    hold(&mut tx, mark).await?.require_standing()?;
    tx.commit().await.map_err(doing("commit the placement's fence"))
}

/// A file in a placement's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedFile {
    pub rank: i32,
    pub file: String,
    /// SHA-256 in hexadecimal.
    pub checksum: String,
    /// Absent where an earlier release applied the file, and its build is not known any more.
    pub operation: Option<OperationId>,
}

/// Writes the history of a file that no build applied. For a build, [`closing`] writes it.
pub async fn insert_history(
    connection: &mut PgConnection,
    placement: &PlacementName,
    row: HistoryRow<'_>,
    duration: Duration,
) -> Result<()> {
    sqlx::query(
        "insert into tenantry.migration_history
             (placement, rank, file, checksum, statements, duration_us, operation_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(placement.as_str())
    .bind(row.rank)
    .bind(row.file)
    .bind(row.checksum)
    .bind(row.statements)
    .bind(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
    .bind(row.operation.as_uuid())
    .execute(connection)
    .await
    .map(|_| ())
    .map_err(doing("write the migration's history"))
}

/// Whose build it is that a file belongs to.
#[derive(Debug, Clone, Copy)]
pub struct BuildIdentity<'a> {
    pub provisioner: &'a str,
    pub placement: &'a PlacementName,
    /// The placement with the tables.
    pub home: &'a PlacementName,
    /// The id of the build's transaction.
    pub xid: &'a str,
}

/// The state of the session after a file.
#[derive(Debug)]
pub struct Closed {
    /// The session has the provisioner's role and is in the build's transaction.
    pub within_bounds: bool,
    /// The transaction can still write.
    pub writable: bool,
    /// The tenant's schema exists and belongs to its owner.
    pub schema_stands: bool,
    /// The tables with triggers, as the server quotes them.
    pub triggered_tables: Vec<String>,
    /// At least one of those triggers is deferrable.
    pub any_deferrable: bool,
    /// The current version of the function that runs the files, as [`crate::postgres::tenant_ddl::RUNNER`] returns it; none
    /// if the function was dropped.
    pub runner: Option<String>,
    /// What of other owners was written to. None for a placement that is being built, which is asked before its COMMIT.
    pub foreign_writes: Option<Vec<String>>,
}

/// Whether the tenant's application may be at work while files run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The placement is being built, and nobody else knows it.
    Unused,
    /// The placement is in use: only what the transaction wrote to may be locked.
    InUse,
}

/// The statements that clean up after a file, check the state of the session, and write the file's history if it can be written.
/// They belong into the message of the file; `first` is the rank of the first file in it. [`Closed::read`] reads their last row.
pub fn closing(build: BuildIdentity<'_>, in_use: Use, row: HistoryRow<'_>, first: i32) -> String {
    let took = if first == row.rank {
        "(extract(epoch from clock_timestamp() - statement_timestamp()) * 1000000)::bigint".to_owned()
    } else {
        format!("tenantry.time_of_file({}, {first}, {})", literal(build.placement.as_str()), row.rank)
    };
    format!(
        "{CLEAN_UP} select within_bounds, writable, schema_stands, triggered_tables, any_deferrable, runner, foreign_writes
         from tenantry.close_file({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {took})",
        literal(build.provisioner),
        literal(build.placement.as_str()),
        literal(build.home.as_str()),
        literal(build.xid),
        literal(&row.operation.to_string()),
        in_use == Use::InUse,
        row.rank,
        literal(row.file),
        literal(row.checksum),
        row.statements,
    )
}

/// What follows a file that has another one behind it in the same message, in the place of [`closing`]: an error if anything is not as
/// the next file needs it. Its row is the file's time in microseconds. `runner` is the version of the function that runs the files.
pub fn ending(build: BuildIdentity<'_>, runner: &str, row: HistoryRow<'_>, first: i32) -> String {
    format!(
        "{CLEAN_UP} select tenantry.end_file({}, {}, {}, {}, {}, {first}, {}, {}, {}, {})",
        literal(build.provisioner),
        literal(build.placement.as_str()),
        literal(build.xid),
        literal(&row.operation.to_string()),
        literal(runner),
        row.rank,
        literal(row.file),
        literal(row.checksum),
        row.statements,
    )
}

impl Closed {
    pub fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            within_bounds: row.try_get("within_bounds")?,
            writable: row.try_get("writable")?,
            schema_stands: row.try_get("schema_stands")?,
            triggered_tables: row.try_get("triggered_tables")?,
            any_deferrable: row.try_get("any_deferrable")?,
            runner: row.try_get("runner")?,
            foreign_writes: row.try_get("foreign_writes")?,
        })
    }
}

/// A cursor WITH HOLD runs its query at COMMIT, as the provisioner. Settings would outlive the file, and notifications would
/// arrive in this session.
pub(in crate::postgres) const CLEAN_UP: &str = "close all; reset all; unlisten *;";
