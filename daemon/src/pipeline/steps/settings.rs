//! Puts a tenant's settings on its roles. The registry has them only when this is done.
//!
//! Undone by putting the settings from before back.

use std::collections::BTreeMap;

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step::StepError;
use crate::postgres::build::credentials;
use crate::postgres::build::tenant_ddl::Limits;

pub(in crate::pipeline) async fn apply(run: &ChangeRun) -> Result<(), StepError> {
    match &run.arguments.update {
        Some(update) => put(run, &update.settings).await,
        None => Ok(()),
    }
}

pub(in crate::pipeline) async fn restore(run: &ChangeRun) -> Result<(), StepError> {
    put(run, &run.tenant.settings).await
}

async fn put(run: &ChangeRun, settings: &BTreeMap<String, i64>) -> Result<(), StepError> {
    Ok(credentials::limit(&run.target, run.mark, run.placement(), Limits::of(settings)).await?)
}
