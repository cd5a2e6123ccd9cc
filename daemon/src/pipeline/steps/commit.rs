//! Closes the one transaction: from here on the tenant is there, whole.
//!
//! An error says nothing about the outcome; the undo asks the marker, and removes what was committed after all.

use crate::model::operation::Step;
use crate::pipeline::context::{ProvisionRun, misplaced};
use crate::pipeline::step::StepError;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    let build = run.build.take().ok_or_else(|| misplaced(Step::Commit))?;
    Ok(build.commit(run.site()).await?)
}
