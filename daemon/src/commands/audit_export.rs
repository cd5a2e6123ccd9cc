//! `audit_export`, `audit_export_read`: the trail in parts, for a file of the caller's.

use std::sync::Arc;

use tenantry_protocol::audit::{AuditExport, AuditExportPart, AuditExportReadRequest, AuditExportRequest};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;

use super::{App, Caller};

pub async fn audit_export(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditExportRequest,
) -> Result<AuditExport, ApiError> {
    app.authorise(caller, Role::Operator, "audit.export").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}

pub async fn audit_export_read(
    app: &Arc<App>,
    caller: &Caller,
    _request: AuditExportReadRequest,
) -> Result<AuditExportPart, ApiError> {
    app.authorise(caller, Role::Operator, "audit.export_read").await?;
    Err(ApiError::new(ErrorCode::Precondition, "not built yet"))
}
