//! Ends the tenant's existing sessions.

use super::removing;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::preparation;

pub(in crate::pipeline) struct EndSessions;

impl ChangeStep for EndSessions {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let ready = preparation::ready(&run.target).await?;
            if let Some(removal) = removing::begin(run, &ready, attempt.tracker).await? {
                let ended = removal.end_sessions().await?;
                attempt.tracker.log(format!("{ended} sessions ended"));
            }
            Ok(())
        })
    }

    /// The client has to reopen a session that was ended.
    fn undo<'a>(&'a self, _: &'a ChangeRun) -> StepFuture<'a> {
        nothing()
    }
}
