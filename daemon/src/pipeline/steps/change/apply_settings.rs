//! Applies a tenant's settings to its roles. The registry records them only after that.
//!
//! Undone by restoring the previous settings.

use std::collections::BTreeMap;

use crate::model::operation::Kind;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, nothing};
use crate::postgres::credentials;
use crate::postgres::tenant_ddl::LoginLimits;

pub(in crate::pipeline) struct ApplySettings;

impl ChangeStep for ApplySettings {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        match &run.arguments.update {
            Some(update) if !is_same(run) => Box::pin(put(run, &update.settings)),
            _ => nothing(),
        }
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        if is_same(run) { nothing() } else { Box::pin(put(run, &run.tenant.settings)) }
    }
}

/// Most versions bring no setting, and a thousand tenants of an upgrade need no transaction for that.
fn is_same(run: &ChangeRun) -> bool {
    let is_upgrade = run.kind == Kind::Upgrade;
    is_upgrade && run.arguments.update.as_ref().is_some_and(|update| update.settings == run.tenant.settings)
}

async fn put(run: &ChangeRun, settings: &BTreeMap<String, i64>) -> Result<(), StepError> {
    Ok(credentials::limit(&run.target, run.mark, run.placement(), LoginLimits::of(settings)).await?)
}
