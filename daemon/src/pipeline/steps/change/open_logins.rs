//! Opens the tenant's issued logins. Undone by closing them again and ending their sessions.

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture};
use crate::postgres::credentials;
use crate::postgres::preparation;
use crate::postgres::removal::Removal;

pub(in crate::pipeline) struct OpenLogins;

impl ChangeStep for OpenLogins {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(open(run))
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(async {
            let ready = preparation::ready(&run.target).await?;
            let (removal, _) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
            removal.close_logins().await?;
            removal.end_sessions().await?;
            Ok(())
        })
    }
}

pub(super) async fn open(run: &ChangeRun) -> Result<(), StepError> {
    Ok(credentials::open_logins(&run.target, run.mark, run.placement(), &run.issued_roles()).await?)
}
