//! Marks the tenant active on its target and closes the probe's login, in one transaction.
//!
//! Undone by the removal of the whole tenant.

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::postgres::build::credentials;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    Ok(credentials::activate(&run.target, run.standing(), &run.tenant.placement).await?)
}
