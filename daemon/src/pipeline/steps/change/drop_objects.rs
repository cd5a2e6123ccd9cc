//! Removes what the tenant has, in batches for which the server has enough locks. Cannot be undone.

use super::removing;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::preparation;

pub(in crate::pipeline) struct DropObjects;

impl ChangeStep for DropObjects {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let ready = preparation::ready(&run.target).await?;
            if let Some(removal) = removing::begin(run, &ready, attempt.tracker).await? {
                removal.drop_objects().await?;
            }
            Ok(())
        })
    }

    fn undo<'a>(&'a self, _: &'a ChangeRun) -> StepFuture<'a> {
        nothing()
    }
}
