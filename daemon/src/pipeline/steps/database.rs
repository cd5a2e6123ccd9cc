//! A tenant's own database: the placement is reserved, and the database made from the target's template.
//!
//! Undone by its removal. Both can be done again, before each build of the same tenant.

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::postgres::tenancy::database::{databases, template};

pub(in crate::pipeline) async fn reserve(run: &mut ProvisionRun) -> Result<(), StepError> {
    // The bookkeeping is there once the target is ready.
    run.ready().await?;
    Ok(databases::reserve(&run.target, run.standing(), &run.tenant.placement, run.owner()).await?)
}

pub(in crate::pipeline) async fn create(run: &mut ProvisionRun) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let prepared = template::prepared(&run.target, &ready).await?;
    let (mark, placement) = (run.standing(), &run.tenant.placement);
    Ok(databases::create(&run.target, &ready, mark, placement, &prepared.template).await?)
}
