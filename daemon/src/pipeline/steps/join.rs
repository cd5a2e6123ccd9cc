//! Makes the new roles stand for the tenant in the shared tables: from here on they have rows there, and no others.
//!
//! Undone by giving the transaction up.

use crate::model::operation::Step;
use crate::pipeline::context::{ProvisionRun, misplaced};
use crate::pipeline::step::StepError;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    let pool = run.pool.clone().ok_or_else(|| misplaced(Step::Join))?;
    let (mark, tenant) = (run.mark, run.tenant.id);
    Ok(run.open_build()?.join(mark, &pool, tenant).await?)
}
