//! `audit_key`, `audit_rotate_key`, `audit_acknowledge`: what the trail is signed with, and a loss that is known.

use std::sync::Arc;

use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditKey, AuditKeyRequest, AuditRotateKeyRequest,
};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;

use super::{App, Caller};

pub async fn audit_key(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditKeyRequest,
) -> Result<AuditKey, ApiError> {
    app.authorise(caller, Role::Viewer, "audit.key").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_rotate_key(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditRotateKeyRequest,
) -> Result<AuditKey, ApiError> {
    app.authorise(caller, Role::Admin, "audit.rotate_key").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_acknowledge(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditAcknowledgeRequest,
) -> Result<AuditEvent, ApiError> {
    app.authorise(caller, Role::Admin, "audit.acknowledge").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}
