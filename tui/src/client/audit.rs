//! The calls about the audit trail: reading, verifying, exporting, keys, retention.
//!
//! Invariant: each function makes one call, with the deadline that it needs; what to do with an answer is up to the caller.

use std::time::Duration;

use tenantry_protocol::audit::{
    AuditExportPart, AuditExportReadRequest, AuditKey, AuditKeyRequest, AuditRotateKeyRequest, AuditSegments,
    AuditSegmentsRequest, AuditVerification, AuditVerificationRequest,
};

use super::{CALL, Client, ClientError, LONG_CALL, settle, within};

impl Client {
    /// Waits for the end at most as long as the request says.
    pub(crate) async fn audit_verification(
        &self,
        request: AuditVerificationRequest,
    ) -> Result<AuditVerification, ClientError> {
        let limit = CALL + Duration::from_millis(request.wait_ms);
        self.settle("audit_verification", limit, self.rpc.audit_verification(within(limit), request).await)
    }

    pub(crate) async fn audit_export_read(&self, id: String) -> Result<AuditExportPart, ClientError> {
        let request = AuditExportReadRequest { id };
        // Not a single line, but a text of several.
        settle("audit_export_read", LONG_CALL, self.rpc.audit_export_read(within(LONG_CALL), request).await)
    }

    pub(crate) async fn audit_key(&self) -> Result<AuditKey, ClientError> {
        // Not a single line, but a text of several.
        settle("audit_key", CALL, self.rpc.audit_key(within(CALL), AuditKeyRequest {}).await)
    }

    pub(crate) async fn audit_rotate_key(&self) -> Result<AuditKey, ClientError> {
        let request = AuditRotateKeyRequest {};
        // Not a single line, but a text of several.
        settle("audit_rotate_key", LONG_CALL, self.rpc.audit_rotate_key(within(LONG_CALL), request).await)
    }

    pub(crate) async fn audit_segments(&self) -> Result<AuditSegments, ClientError> {
        self.settle(
            "audit_segments",
            CALL,
            self.rpc.audit_segments(within(CALL), AuditSegmentsRequest {}).await,
        )
    }
}
