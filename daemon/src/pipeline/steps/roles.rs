//! Opens the build with its marker and creates the tenant's roles.
//!
//! Undone by giving the transaction up.

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::postgres::build::runner::Build;
use crate::postgres::build::tenant_ddl::Limits;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let owner = run.owner();
    let mut build = Build::begin(run.site(), &ready, run.mark, &run.tenant.placement, owner).await?;
    let limits = Limits::of(&run.tenant.settings);
    let probe = run.probe.brief_verifier();
    let made = match &run.pool {
        Some(pool) => build.create_shared_roles(pool, limits, &probe).await,
        None => build.create_roles(limits, &probe).await,
    };
    run.build = Some(build);
    Ok(made?)
}
