//! `update_tenant`: changes a tenant's display name, labels and settings.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{OperationStarted, UpdateTenantRequest};

use crate::model::operation::Kind;
use crate::pipeline::{OperationArguments, Update};

use super::change::{TenantChange, change};
use super::resolve;
use crate::commands::{App, Caller};

pub async fn update_tenant(
    app: &Arc<App>,
    caller: &Caller,
    request: UpdateTenantRequest,
) -> Result<OperationStarted, ApiError> {
    let same = UpdateTenantRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    if request.display_name.is_none() && request.labels.is_empty() && request.settings.is_empty() {
        return Err(ApiError::invalid("display_name", "say what is to change: a name, labels or settings"));
    }
    // The blueprint determines what may be set; the tenant is read again when the change begins.
    let tenant = app.find_tenant(&request.slug).await?;
    let entry = app.blueprint(&tenant.blueprint, Some(tenant.version)).await?;
    let asked = TenantChange { method: "update_tenant", slug: &request.slug, key, same: &same };
    change(app, caller, asked, |tenant| {
        let display_name = request.display_name.clone().unwrap_or_else(|| tenant.display_name.clone());
        let mut labels = tenant.labels.clone();
        for (label, value) in &request.labels {
            match value {
                Some(value) => _ = labels.insert(label.clone(), value.clone()),
                None => _ = labels.remove(label),
            }
        }
        let mut settings = tenant.settings.clone();
        settings.extend(request.settings.clone());
        resolve::check_display_name(&display_name)?;
        resolve::check_labels(&labels)?;
        let settings = resolve::settings(&entry.blueprint.settings, &settings)?;
        let update = Update { display_name, labels, settings };
        Ok((Kind::Update, OperationArguments { update: Some(update), ..OperationArguments::default() }))
    })
    .await
}
