//! Opens the build with its marker and creates the tenant's roles.
//!
//! Undone by giving the transaction up.

use crate::model::blueprint::CONNECTION_LIMIT;
use crate::pipeline::run::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::postgres::runner::Build;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let owner = run.owner();
    let mut build = Build::begin(run.site(), &ready, run.mark, &run.tenant.placement, owner).await?;
    let limit = run.tenant.settings.get(CONNECTION_LIMIT).copied().unwrap_or(-1);
    let probe = run.probe.brief_verifier();
    let made = match &run.pool {
        Some(pool) => build.create_shared_roles(pool, limit, &probe).await,
        None => build.create_roles(limit, &probe).await,
    };
    run.build = Some(build);
    Ok(made?)
}
