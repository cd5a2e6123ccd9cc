//! `suspend` and `resume`: close a tenant's logins and end its sessions, and open them again. Its data stays.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{OperationStarted, TenantChangeRequest};

use crate::model::operation::Kind;
use crate::pipeline::OperationArguments;

use super::change::{TenantChange, change};
use crate::commands::{App, Caller};

pub async fn suspend(
    app: &Arc<App>,
    caller: &Caller,
    request: TenantChangeRequest,
) -> Result<OperationStarted, ApiError> {
    switch(app, caller, "suspend", Kind::Suspend, request).await
}

pub async fn resume(
    app: &Arc<App>,
    caller: &Caller,
    request: TenantChangeRequest,
) -> Result<OperationStarted, ApiError> {
    switch(app, caller, "resume", Kind::Resume, request).await
}

async fn switch(
    app: &Arc<App>,
    caller: &Caller,
    method: &'static str,
    kind: Kind,
    request: TenantChangeRequest,
) -> Result<OperationStarted, ApiError> {
    let same = TenantChangeRequest { idempotency_key: None, ..request.clone() };
    let asked =
        TenantChange { method, slug: &request.slug, key: request.idempotency_key.as_deref(), same: &same };
    change(app, caller, asked, |_| Ok((kind, OperationArguments::default()))).await
}
