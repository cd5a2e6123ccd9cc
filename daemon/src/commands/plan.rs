//! `plan`: what `provision` would do with the same request; changes nothing.

use tenantry_protocol::error::ApiError;
use tenantry_protocol::plan::Plan;
use tenantry_protocol::session::Role;
use tenantry_protocol::tenant::ProvisionRequest;

use super::{App, Caller};

pub async fn plan(app: &App, caller: &Caller, request: &ProvisionRequest) -> Result<Plan, ApiError> {
    app.authorise(caller, Role::Viewer, "plan").await?;
    let resolved = app.resolve(request).await?;
    app.plan_of(&resolved).await
}
