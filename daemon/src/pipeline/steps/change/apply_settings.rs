//! Applies a tenant's settings to its roles. The registry records them only after that.
//!
//! Undone by restoring the previous settings.

use std::collections::BTreeMap;

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::credentials;
use crate::postgres::tenant_ddl::LoginLimits;

pub(in crate::pipeline) struct ApplySettings;

impl ChangeStep for ApplySettings {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        match &run.arguments.update {
            Some(update) => Box::pin(put(run, &update.settings)),
            None => nothing(),
        }
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(put(run, &run.tenant.settings))
    }
}

async fn put(run: &ChangeRun, settings: &BTreeMap<String, i64>) -> Result<(), StepError> {
    Ok(credentials::limit(&run.target, run.mark, run.placement(), LoginLimits::of(settings)).await?)
}
