//! Opens a tenant's logins, and takes their closing or opening back.

use tenantry_protocol::tenant::TenantState;

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step::StepError;
use crate::postgres::build::credentials;
use crate::postgres::removal::Removal;

pub(in crate::pipeline) async fn open(run: &ChangeRun) -> Result<(), StepError> {
    Ok(credentials::open_logins(&run.target, run.mark, run.placement(), &run.issued_roles()).await?)
}

/// As they were before the operation closed them: open if the tenant was active.
pub(in crate::pipeline) async fn restore(run: &ChangeRun) -> Result<(), StepError> {
    if run.before == TenantState::Active { open(run).await } else { Ok(()) }
}

/// As they were before they were opened.
pub(in crate::pipeline) async fn close_again(run: &ChangeRun) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
    let (removal, _) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
    removal.close_logins().await?;
    removal.end_sessions().await?;
    Ok(())
}
