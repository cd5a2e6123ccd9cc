//! Writes a tenant's data into a file, and reads the file back, before anything of the tenant is dropped.
//!
//! Invariants: once something may have been dropped, no archive is made, so that an incomplete one never replaces a good
//! one. The login that makes the archive is closed however it ends. The archive is on record before the next step. Undone
//! by closing that login: an unneeded archive does no harm.

use tenantry_protocol::archive;
use tenantry_protocol::operation::Operation;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture};
use crate::pipeline::tracker::{Tracker, millis};
use crate::postgres::archive::dump::{self, ArchivePlace, Made};
use crate::postgres::archive::dump_role::{self, DumpSnapshot};
use crate::postgres::archive::login::libpq_login;
use crate::postgres::archive::programs::Programs;
use crate::postgres::control::archives;
use crate::postgres::preparation;
use crate::postgres::removal::Removal;
use crate::postgres::target::settlement::Settled;
use crate::postgres::tenancy::shared::pools;
use crate::postgres::{Error, Result};

pub(in crate::pipeline) struct MakeArchive;

impl ChangeStep for MakeArchive {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(archive(run, attempt.tracker))
    }

    /// Closes the login that an interrupted attempt left open.
    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(async {
            let ready = preparation::ready(&run.target).await?;
            Ok(dump_role::close(&run.target, &ready, run.mark, run.placement()).await?)
        })
    }
}

async fn archive(run: &ChangeRun, tracker: &Tracker) -> Result<(), StepError> {
    let begin = std::time::Instant::now();
    let ready = preparation::ready(&run.target).await?;
    let (removal, settled) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
    if settled == Settled::Void || removal.is_begun().await? {
        tracker.log("no archive is made: there is nothing whole to archive any more".to_owned());
        return Ok(());
    }
    let operation = tracker.snapshot();
    let options = &run.target.options().archives;
    if is_made(run, &operation).await? {
        tracker.log("the archive is made already".to_owned());
        return Ok(());
    }
    let programs = options.prepare(ready.major()).await?;
    let place = options.place(&name(&operation));
    let making = tokio::time::timeout(options.timeout, make(run, &programs, &place)).await;
    let closed = dump_role::close(&run.target, &ready, run.mark, run.placement()).await;
    let (made, snapshot) = making.unwrap_or_else(|_| Err(too_slow(options.timeout)))?;
    closed?;
    let archive = archive::Archive {
        operation_id: operation.id,
        made_at: OffsetDateTime::now_utc(),
        path: place.path.display().to_string(),
        size_bytes: made.size_bytes,
        sha256: made.sha256,
        tables: snapshot.tables,
        rows: snapshot.rows,
        dumped_by: format!("pg_dump {}", programs.version),
    };
    record(run, &operation, &archive, millis(begin.elapsed())).await?;
    tracker.log(format!(
        "archived {} tables and {} rows as {} bytes in {}",
        archive.tables, archive.rows, archive.size_bytes, archive.path
    ));
    Ok(())
}

/// An attempt whose answer was lost, or the previous daemon, has put the archive on record, and the file still exists.
/// Nothing can have been written since: the logins were closed before the archive was made.
async fn is_made(run: &ChangeRun, operation: &Operation) -> Result<bool> {
    let made = archives::of_tenant(run.trail.control().pool(), operation.tenant_id).await?;
    match made.into_iter().find(|archive| archive.operation_id == operation.id) {
        Some(archive) => Ok(dump::is_intact(archive.path.into(), archive.sha256).await),
        None => Ok(false),
    }
}

/// The counts of a snapshot, without its session.
struct CountedRows {
    tables: u64,
    rows: u64,
}

async fn make(run: &ChangeRun, programs: &Programs, place: &ArchivePlace) -> Result<(Made, CountedRows)> {
    let pool = pools::of_tenant(&run.target, run.mark).await?;
    let pool = pool.as_ref();
    let password = dump_role::open(&run.target, run.mark, run.placement(), pool).await?;
    let mut snapshot = DumpSnapshot::take(run.site(), run.placement(), pool, &password).await?;
    let login = libpq_login(run.site(), run.placement(), &password, programs.major);
    let made = dump::make(programs, &login, &snapshot, place).await;
    if made.is_err() {
        // Tells an unreachable server from a failed dump: only in the first case is the step tried again.
        snapshot.is_there().await?;
    }
    let seen = CountedRows { tables: snapshot.tables, rows: snapshot.rows };
    snapshot.close().await;
    Ok((made?, seen))
}

async fn record(run: &ChangeRun, operation: &Operation, archive: &archive::Archive, ms: f64) -> Result<()> {
    let entry = Entry {
        tenant_id: Some(operation.tenant_id.as_uuid()),
        slug: Some(operation.slug.to_string()),
        operation_id: Some(operation.id.as_uuid()),
        outcome: Some(Outcome::Ok),
        duration_ms: Some(ms),
        detail: Some(archive.path.clone()),
        ..Entry::new("archive", Actor::daemon(nix::unistd::geteuid().as_raw()))
            .fact("sha256", &archive.sha256)
    };
    let mut tx = run.trail.begin().await?;
    archives::record(&mut tx, operation.tenant_id, archive).await?;
    tx.record(&entry).await?;
    tx.commit("commit the archive's record").await
}

/// The name is the same for each attempt of an operation, whichever daemon makes it: `acme-20261121T061500-01997af2`.
fn name(operation: &Operation) -> String {
    let format = format_description!("[year][month][day]T[hour][minute][second]");
    let at = operation.requested_at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default();
    // An id begins with its time, so two ids of the same second differ only at the end.
    let id = operation.id.as_uuid().simple().to_string();
    format!("{}-{at}-{}", operation.slug, &id[id.len() - 8..])
}

fn too_slow(timeout: std::time::Duration) -> Error {
    Error::Refused(format!(
        "the archive was not done within {} s: raise [archive] timeout_ms, or give the data up with --discard-data",
        timeout.as_secs()
    ))
}
