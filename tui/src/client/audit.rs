//! The calls about the audit trail: reading, verifying, exporting, keys, retention.
//!
//! Invariant: each function makes one call, with the deadline that it needs; what to do with an answer is up to the caller.

use std::time::Duration;

use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditExport, AuditExportPart, AuditExportReadRequest,
    AuditExportRequest, AuditHold, AuditHoldRequest, AuditKey, AuditKeyRequest, AuditPruneRequest,
    AuditPruned, AuditRedactRequest, AuditRedacted, AuditReleaseRequest, AuditRequest, AuditResponse,
    AuditRotateKeyRequest, AuditSegments, AuditSegmentsRequest, AuditVerification, AuditVerificationRequest,
    AuditVerifyRequest,
};

use super::{CALL, Client, ClientError, LONG_CALL, settle, within};

impl Client {
    pub(crate) async fn audit(&self, request: AuditRequest) -> Result<AuditResponse, ClientError> {
        self.settle("audit", CALL, self.rpc.audit(within(CALL), request).await)
    }

    pub(crate) async fn audit_verify(
        &self,
        request: AuditVerifyRequest,
    ) -> Result<AuditVerification, ClientError> {
        self.settle("audit_verify", LONG_CALL, self.rpc.audit_verify(within(LONG_CALL), request).await)
    }

    /// Waits for the end at most as long as the request says.
    pub(crate) async fn audit_verification(
        &self,
        request: AuditVerificationRequest,
    ) -> Result<AuditVerification, ClientError> {
        let limit = CALL + Duration::from_millis(request.wait_ms);
        self.settle("audit_verification", limit, self.rpc.audit_verification(within(limit), request).await)
    }

    pub(crate) async fn audit_export(&self, request: AuditExportRequest) -> Result<AuditExport, ClientError> {
        self.settle("audit_export", LONG_CALL, self.rpc.audit_export(within(LONG_CALL), request).await)
    }

    pub(crate) async fn audit_export_read(&self, id: String) -> Result<AuditExportPart, ClientError> {
        let request = AuditExportReadRequest { id };
        // Not a single line, but a text of several.
        settle("audit_export_read", LONG_CALL, self.rpc.audit_export_read(within(LONG_CALL), request).await)
    }

    pub(crate) async fn audit_acknowledge(
        &self,
        request: AuditAcknowledgeRequest,
    ) -> Result<AuditEvent, ClientError> {
        self.settle(
            "audit_acknowledge",
            LONG_CALL,
            self.rpc.audit_acknowledge(within(LONG_CALL), request).await,
        )
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

    pub(crate) async fn audit_redact(
        &self,
        request: AuditRedactRequest,
    ) -> Result<AuditRedacted, ClientError> {
        self.settle("audit_redact", LONG_CALL, self.rpc.audit_redact(within(LONG_CALL), request).await)
    }

    pub(crate) async fn audit_segments(&self) -> Result<AuditSegments, ClientError> {
        self.settle(
            "audit_segments",
            CALL,
            self.rpc.audit_segments(within(CALL), AuditSegmentsRequest {}).await,
        )
    }

    pub(crate) async fn audit_hold(&self, request: AuditHoldRequest) -> Result<AuditHold, ClientError> {
        self.settle("audit_hold", CALL, self.rpc.audit_hold(within(CALL), request).await)
    }

    pub(crate) async fn audit_release(&self, request: AuditReleaseRequest) -> Result<AuditHold, ClientError> {
        self.settle("audit_release", CALL, self.rpc.audit_release(within(CALL), request).await)
    }

    pub(crate) async fn audit_prune(&self, request: AuditPruneRequest) -> Result<AuditPruned, ClientError> {
        self.settle("audit_prune", LONG_CALL, self.rpc.audit_prune(within(LONG_CALL), request).await)
    }
}
