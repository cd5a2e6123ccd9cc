//! Closes the probe's login, which was opened for an attack, and ends its sessions.

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::credentials;
use crate::postgres::preparation;

pub(in crate::pipeline) struct CloseProbe;

impl ChangeStep for CloseProbe {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(close(run))
    }

    /// A probe's login is normally closed, so there is nothing to undo.
    fn undo<'a>(&'a self, _: &'a ChangeRun) -> StepFuture<'a> {
        nothing()
    }
}

pub(super) async fn close(run: &ChangeRun) -> Result<(), StepError> {
    let ready = preparation::ready(&run.target).await?;
    Ok(credentials::close_probe(&run.target, &ready, run.mark, run.placement()).await?)
}
