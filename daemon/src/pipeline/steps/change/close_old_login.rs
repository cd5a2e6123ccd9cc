//! Closes the login that preceded the current one, and ends its sessions. Cannot be undone.

use crate::model::operation::Step;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::credentials;
use crate::postgres::preparation;

pub(in crate::pipeline) struct CloseOldLogin;

impl ChangeStep for CloseOldLogin {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let ready = preparation::ready(&run.target).await?;
            let ended = credentials::close_slot(&run.target, &ready, run.mark, run.login()?).await?;
            let ended = usize::try_from(ended).unwrap_or(usize::MAX);
            attempt.tracker.counted(Step::CloseOldLogin, ended, ended);
            Ok(())
        })
    }

    fn undo<'a>(&'a self, _: &'a ChangeRun) -> StepFuture<'a> {
        nothing()
    }
}
