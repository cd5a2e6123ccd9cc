//! `audit_verify`, `audit_verification`: whether the trail is what it was.

use std::sync::Arc;

use tenantry_protocol::audit::{AuditVerification, AuditVerificationRequest, AuditVerifyRequest};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;

use super::{App, Caller};

pub async fn audit_verify(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditVerifyRequest,
) -> Result<AuditVerification, ApiError> {
    app.authorise(caller, Role::Viewer, "audit.verify").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_verification(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditVerificationRequest,
) -> Result<AuditVerification, ApiError> {
    app.authorise(caller, Role::Viewer, "audit.verification").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}
