//! `plan`: what `provision` would do with the same request; changes nothing.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::plan::Plan;
use tenantry_protocol::tenant::ProvisionRequest;

use crate::commands::{App, Caller};

pub async fn plan(app: &Arc<App>, _: &Caller, request: ProvisionRequest) -> Result<Plan, ApiError> {
    let resolved = app.resolve(&request).await?;
    app.plan_of(&resolved).await
}
