//! Prevents new sessions of the tenant. Undone by opening the logins of a tenant that was active.

use tenantry_protocol::tenant::TenantState;

use super::{open_logins, removing};
use crate::pipeline::context::ChangeRun;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::preparation;

pub(in crate::pipeline) struct CloseLogins;

impl ChangeStep for CloseLogins {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let ready = preparation::ready(&run.target).await?;
            if let Some(removal) = removing::begin(run, &ready, attempt.tracker).await? {
                removal.close_logins().await?;
            }
            Ok(())
        })
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        if run.before == TenantState::Active { Box::pin(open_logins::open(run)) } else { nothing() }
    }
}
