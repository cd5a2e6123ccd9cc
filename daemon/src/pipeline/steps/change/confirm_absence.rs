//! Reads the catalog to confirm that nothing of the tenant is left.

use super::removing;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::preparation;

pub(in crate::pipeline) struct ConfirmAbsence;

impl ChangeStep for ConfirmAbsence {
    /// Also runs if nothing was ever committed: somebody may have created objects under the tenant's names.
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            let ready = preparation::ready(&run.target).await?;
            let (removal, _) = removing::look(run, &ready).await?;
            removing::confirm(&removal).await
        })
    }

    fn undo<'a>(&'a self, _: &'a ChangeRun) -> StepFuture<'a> {
        nothing()
    }
}
