//! Makes sure that the tables exist that the tenants of this blueprint's version share. Finds them, or builds them in one
//! transaction of their own, while other operations that need them wait.
//!
//! Never undone: a pool holds nothing of a tenant until the tenant joins it, and it stays for the next tenant. A failed
//! build leaves nothing.

use std::sync::Arc;

use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::plan::PlanSql;

use super::files;
use crate::fault;
use crate::model::blueprint::{Blueprint, BuildFile};
use crate::model::operation::Step;
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{self, Recipe, ours};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture, install_extensions};
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::pool_ddl;
use crate::postgres::preparation;
use crate::postgres::target::marker::Mark;
use crate::postgres::tenancy::shared::pool_identity::Identity;
use crate::postgres::tenancy::shared::pools;
use crate::postgres::tenancy::shared::shared_names;
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct Pool;

impl BuildStep for Pool {
    /// The SQL that builds the pool, used if this is its first tenant.
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let before = [ours(pool_ddl::POOL_ROLES), ours(tenant_ddl::SCHEMA)];
        let behind = [ours(pool_ddl::POOL_FUNCTIONS), ours(tenant_ddl::SEAL), ours("commit;\n")];
        let covered = std::iter::once(ours(pool_ddl::COVER)).chain(plan_sql::files(&of.blueprint.seed));
        let files = of.blueprint.in_one_transaction().into_iter().flatten().flat_map(|one| {
            let tenant = one.file.is_data().then(|| ours(pool_ddl::GIVE_TENANT));
            tenant.into_iter().chain([plan_sql::built(one)])
        });
        before.into_iter().chain(files).chain(covered).chain(behind).collect()
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(find_or_build(run, attempt.tracker))
    }
}

async fn find_or_build(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    // Rolls back what an earlier attempt left open.
    run.abandon().await;
    // The first look prepares the target, including the bookkeeping that is read next.
    run.ready().await?;
    let identity = identity(&run.blueprint);
    if run.pool.is_none() {
        run.pool = find(run, &identity).await?;
    }
    if run.pool.is_none() {
        run.pool = match Box::pin(build(run, &identity, tracker)).await {
            Ok(pool) => Some(pool),
            // Another operation was faster, and has committed the pool.
            Err(StepError::Database(Error::PoolExists)) => {
                run.abandon().await;
                find(run, &identity).await?
            }
            Err(error) => return Err(error),
        };
    }
    match run.pool {
        Some(_) => Ok(()),
        None => Err(StepError::OutOfOrder { lacks: "the shared tables" }),
    }
}

/// The pool, if it exists and keeps the rules at this moment. No tenant joins a pool that does not, whatever happened to
/// it.
async fn find(run: &ProvisionRun, identity: &Identity) -> Result<Option<PlacementName>, StepError> {
    let ready = preparation::ready(&run.target).await?;
    let Some(pool) = pools::named(&run.target, identity).await? else {
        // Objects that a tenant made in the name of the group would also count against a new pool.
        shared_names::take_away(&run.target, &ready, None).await?;
        return Ok(None);
    };
    let mut broken = uncovered(run, &pool).await?;
    if !broken.is_empty() && shared_names::take_away(&run.target, &ready, Some(&pool)).await? > 0 {
        broken = uncovered(run, &pool).await?;
    }
    refuse(broken)?;
    pools::keeps_the_rules(&run.target, &pool).await?;
    Ok(Some(pool))
}

async fn uncovered(run: &ProvisionRun, pool: &PlacementName) -> Result<Vec<String>, StepError> {
    Ok(pools::uncovered(&mut *run.site().acquire().await?, pool).await?)
}

async fn build(
    run: &mut ProvisionRun,
    identity: &Identity,
    tracker: &Tracker,
) -> Result<PlacementName, StepError> {
    let ready = run.ready().await?;
    let blueprint = Arc::clone(&run.blueprint);
    install_extensions(run.site(), &blueprint, tracker).await?;
    let placement = PlacementName::from_random(rand::random());
    let mark = Mark { build: OperationId::generate(), fence: run.mark.fence };
    // Stored here so that an undo finds it.
    run.build = Some(pools::begin(&run.target, &ready, mark, &placement, identity).await?);
    run.open_build()?.create_pool_roles().await?;
    run.open_build()?.create_schema().await?;
    // A file outside the transaction is an error in such a blueprint, so there are forms for all files.
    let files = blueprint.in_one_transaction().unwrap_or_default();
    files::apply(run, &files, Step::Pool, tracker).await?;
    refuse(run.open_build()?.cover().await?)?;
    // The canary's rows, under the policies.
    let seed: Vec<BuildFile<'_>> = blueprint.seed.iter().map(BuildFile::written).collect();
    files::apply(run, &seed, Step::Pool, tracker).await?;
    refuse(run.open_build()?.finish_pool().await?)?;
    let build = run.take_build()?;
    let commit = async { build.commit(run.site()).await.map_err(StepError::from) };
    fault::around("pool.commit", commit).await?;
    tracker.log(format!(
        "built the shared tables of {} {} as {placement}: {} tables",
        blueprint.name, blueprint.version, blueprint.tables
    ));
    Ok(placement)
}

fn refuse(problems: Vec<String>) -> Result<(), StepError> {
    if problems.is_empty() { Ok(()) } else { Err(StepError::Uncovered(problems)) }
}

pub(in crate::pipeline) fn identity(blueprint: &Blueprint) -> Identity {
    Identity {
        blueprint: blueprint.name.to_string(),
        version: blueprint.version.to_string(),
        checksum: blueprint.checksum.to_string(),
    }
}
