//! Runs the files from the first one outside the transaction, where a statement has no form that could run in it. A file outside runs
//! statement by statement as the tenant's owner itself; each of the others runs in a transaction of its own. The seed comes last.
//!
//! The journal on the target records what was done. Any daemon can therefore repeat this step, and first cleans up after
//! an interrupted attempt. Undone by the removal of the whole tenant, which closes the owner's login and ends its
//! session.

use std::sync::Arc;

use tenantry_protocol::plan::PlanSql;

use super::files;
use crate::fault;
use crate::model::blueprint::{BuildFile, Migration};
use crate::model::operation::{Seeding, Step};
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{self, Recipe, ours};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::outside_file::{self, Counter, OutsideRun};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture, file_account};
use crate::pipeline::tracker::Tracker;
use crate::postgres::build::runner::Build;
use crate::postgres::preparation;
use crate::postgres::target::marker::Use;
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct RunOutside;

impl BuildStep for RunOutside {
    /// The files behind the commit. Files that cannot run in a transaction run within a login of the owner's.
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let mut sql = Vec::new();
        for migration in of.blueprint.outside() {
            if migration.is_outside() {
                let (open, close) = (ours(tenant_ddl::OPEN_OWNER), ours(tenant_ddl::CLOSE_OWNER));
                sql.extend([open, plan_sql::file(migration), close]);
            } else {
                sql.push(plan_sql::file(migration));
            }
        }
        if of.seed == Seeding::With {
            sql.extend(plan_sql::files(&of.blueprint.seed));
        }
        sql
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(all_files(run, attempt))
    }
}

async fn all_files(run: &mut ProvisionRun, Attempt { tracker, left }: Attempt<'_>) -> Result<(), StepError> {
    // Rolls back what an earlier attempt left open.
    run.abandon().await;
    if run.is_inherited {
        // An earlier release may have made the tenant's database.
        preparation::bring_up(run.site()).await?;
    }
    let deadline = outside_file::deadline(left);
    let blueprint = Arc::clone(&run.blueprint);
    let seed: &[Migration] = if run.seed == Seeding::With { &blueprint.seed } else { &[] };
    let all: Vec<&Migration> = blueprint.outside().iter().chain(seed).collect();
    let total = all.iter().map(|file| outside_file::weight(file)).sum();
    let mut counter = Counter { tracker, step: Step::Outside, done: 0, total };
    tracker.counted(Step::Outside, 0, total);
    for (number, file) in all.into_iter().enumerate() {
        let rank = i32::try_from(blueprint.inside().len() + number).unwrap_or(i32::MAX);
        if file.is_outside() {
            let ready = run.ready().await?;
            let outside = OutsideRun {
                site: run.site(),
                ready: &ready,
                mark: run.mark,
                placement: &run.tenant.placement,
                operation: run.mark.build,
                in_use: Use::Unused,
                open: None,
                deadline,
            };
            outside.file(file, rank, &mut counter).await?;
        } else {
            fault::around("outside.file", in_a_transaction(run, file, rank, tracker)).await?;
            counter.count();
        }
    }
    Ok(())
}

/// Runs a file that follows one outside the transaction, in the same way as the files of the build, and commits it
/// separately.
async fn in_a_transaction(
    run: &mut ProvisionRun,
    file: &Migration,
    rank: i32,
    tracker: &Tracker,
) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let opened = Build::reopen(run.site(), &ready, run.mark, &run.tenant.placement, rank).await?;
    let Some(mut build) = opened else { return Ok(()) };
    build.come_behind(&run.blueprint);
    // Stored here so that an undo finds it.
    run.build = Some(build);
    let duration = files::apply_one(run, BuildFile::written(file)).await?;
    files::at_rest(run, file).await?;
    let build = run.take_build()?;
    build.commit(run.site()).await?;
    tracker.log(file_account::applied(file, duration));
    Ok(())
}
