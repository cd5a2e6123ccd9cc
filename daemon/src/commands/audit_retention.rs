//! `audit_redact`, `audit_segments`, `audit_hold`, `audit_release`, `audit_prune`: what is kept of the trail, and how long.

use std::sync::Arc;

use tenantry_protocol::audit::{
    AuditHold, AuditHoldRequest, AuditPruneRequest, AuditPruned, AuditRedactRequest, AuditRedacted,
    AuditReleaseRequest, AuditSegments, AuditSegmentsRequest,
};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;

use super::{App, Caller};

pub async fn audit_redact(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditRedactRequest,
) -> Result<AuditRedacted, ApiError> {
    app.authorise(caller, Role::Admin, "audit.redact").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_segments(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditSegmentsRequest,
) -> Result<AuditSegments, ApiError> {
    app.authorise(caller, Role::Viewer, "audit.segments").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_hold(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditHoldRequest,
) -> Result<AuditHold, ApiError> {
    app.authorise(caller, Role::Admin, "audit.hold").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_release(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditReleaseRequest,
) -> Result<AuditHold, ApiError> {
    app.authorise(caller, Role::Admin, "audit.release").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_prune(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditPruneRequest,
) -> Result<AuditPruned, ApiError> {
    app.authorise(caller, Role::Admin, "audit.prune").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}
