//! An upgrade of shared tables: one transaction for all of their tenants, whichever tenant's operation runs it.
//!
//! The files and the pool's new version are committed together. So an operation that finds the version has nothing to do but to
//! record it, for its own tenant and for all others.

use std::sync::Arc;

use tenantry_protocol::name::PlacementName;

use super::Versions;
use super::transaction::{Before, PoolChange, transaction};
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::build::pool;
use crate::pipeline::steps::outside_file::Counter;
use crate::postgres::Error;
use crate::postgres::build::opening::Opening;
use crate::postgres::build::runner::Build;
use crate::postgres::control::upgrade_units;
use crate::postgres::target::Ready;
use crate::postgres::tenancy::shared::{pool_upgrade, pools};

pub(super) async fn apply(
    run: &mut ChangeRun,
    versions: &Versions,
    ready: &Ready,
    counter: &mut Counter<'_>,
) -> Result<(), StepError> {
    let pool = pool_of(run).await?;
    let members = pool_upgrade::members(&run.target, &pool).await?;
    check_members(run, &members).await?;
    let to = pool::identity(&versions.to);
    let mark = pool_upgrade::mark(&run.target, &pool, run.build.fence).await?;
    let (mut build, Opening { history, .. }) = Build::upgrade(run.site(), ready, mark, &pool, run.id).await?;
    build.come_behind(&versions.to);
    // Stored here so that an undo finds it.
    run.open = Some(build);
    let before = run.open_build()?.open_pool(&to).await?;
    if before.is_current {
        run.take_open()?.leave(run.site()).await?;
    } else {
        let files = versions.pending(&history, &[])?;
        counter.expect(&files);
        transaction(run, versions, &files, Before::Pool(&PoolChange { before, to }), counter).await?;
    }
    // Tenants may have joined before the transaction held the pool.
    run.members = pool_upgrade::members(&run.target, &pool).await?;
    counter.tracker.log(format!(
        "tenants that share these tables and have the version with them: {}",
        run.members.len()
    ));
    Ok(())
}

/// Whether anything was committed: the pool has its new version only with all files.
pub(super) async fn check_uncommitted(
    run: &ChangeRun,
    versions: &Versions,
    ready: &Ready,
) -> Result<(), StepError> {
    let pool = pool_of(run).await?;
    let to = pool::identity(&versions.to);
    let mark = pool_upgrade::mark(&run.target, &pool, run.build.fence).await?;
    let (mut build, _) = Build::upgrade(run.site(), ready, mark, &pool, run.id).await?;
    let before = build.open_pool(&to).await?;
    build.leave(run.site()).await?;
    if before.is_current { Err(StepError::FoundDone) } else { Ok(()) }
}

async fn pool_of(run: &ChangeRun) -> Result<PlacementName, StepError> {
    let pool = pools::of_tenant(&run.target, run.mark).await?;
    pool.ok_or(StepError::OutOfOrder { lacks: "the shared tables" })
}

/// Tenants of another registry may share the tables, and it would not learn of their version.
async fn check_members(run: &ChangeRun, members: &[PlacementName]) -> Result<(), StepError> {
    let control = Arc::clone(run.trail.control());
    let known = upgrade_units::known_placements(control.pool(), members).await?;
    if known == members.len() {
        return Ok(());
    }
    Err(StepError::Database(Error::Refused(format!(
        "{} of the {} tenants that share these tables are not in this registry: provision tenants of the new version beside them, \
         and move the data",
        members.len() - known,
        members.len()
    ))))
}
