//! The RPC service. On the wire a request is tarpc's envelope around `{"Method":{"request":{…}}}`; the golden frames
//! in `tests/` freeze it, so that any language can speak it.
//!
//! Methods are added, never renamed or changed in meaning.

use crate::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditExport, AuditExportPart, AuditExportReadRequest,
    AuditExportRequest, AuditHold, AuditHoldRequest, AuditKey, AuditKeyRequest, AuditPruneRequest,
    AuditPruned, AuditRedactRequest, AuditRedacted, AuditReleaseRequest, AuditRequest, AuditResponse,
    AuditRotateKeyRequest, AuditSegments, AuditSegmentsRequest, AuditVerification, AuditVerificationRequest,
    AuditVerifyRequest,
};
use crate::blueprint::{BlueprintReport, BlueprintUpload, BlueprintsRequest, BlueprintsResponse};
use crate::error::ApiError;
use crate::isolation::VerifyIsolationRequest;
use crate::operation::{
    CancelRequest, Operation, OperationRequest, OperationsRequest, OperationsResponse, RetryRequest,
};
use crate::plan::Plan;
use crate::session::{Health, HealthRequest, HelloRequest, HelloResponse};
use crate::target::{TargetsRequest, TargetsResponse};
use crate::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, OperationStarted, ProvisionRequest,
    RetireRequest, RollbackPreview, RollbackPreviewRequest, RollbackRequest, RotateCredentialsRequest,
    RotationFinished, TenantChangeRequest, TenantDetail, TenantRequest, TenantsRequest, TenantsResponse,
    UpdateTenantRequest,
};
use crate::watch::{WatchRequest, WatchResponse};

/// The version of this contract; `hello` compares it.
pub const PROTOCOL_VERSION: u32 = 1;

#[tarpc::service]
pub trait Tenantry {
    /// Opens the connection: versions, identity and role. Must be the first call.
    async fn hello(request: HelloRequest) -> Result<HelloResponse, ApiError>;
    async fn health(request: HealthRequest) -> Result<Health, ApiError>;
    async fn targets(request: TargetsRequest) -> Result<TargetsResponse, ApiError>;
    async fn blueprints(request: BlueprintsRequest) -> Result<BlueprintsResponse, ApiError>;
    /// Reads and lints a folder; stores nothing.
    async fn blueprint_check(request: BlueprintUpload) -> Result<BlueprintReport, ApiError>;
    /// Stores a folder as a new, immutable version.
    async fn blueprint_add(request: BlueprintUpload) -> Result<BlueprintReport, ApiError>;
    /// What `provision` would do with the same request; changes nothing.
    async fn plan(request: ProvisionRequest) -> Result<Plan, ApiError>;
    /// Starts an operation and answers at once; follow it with `watch`.
    async fn provision(request: ProvisionRequest) -> Result<OperationStarted, ApiError>;
    async fn operations(request: OperationsRequest) -> Result<OperationsResponse, ApiError>;
    async fn operation(request: OperationRequest) -> Result<Operation, ApiError>;
    /// Waits for events, at most `wait_ms`.
    async fn watch(request: WatchRequest) -> Result<WatchResponse, ApiError>;
    /// Starts the complete removal of a tenant and answers at once; follow it with `watch`.
    async fn rollback(request: RollbackRequest) -> Result<OperationStarted, ApiError>;
    /// What `rollback` would remove now; changes nothing.
    async fn rollback_preview(request: RollbackPreviewRequest) -> Result<RollbackPreview, ApiError>;
    /// Sets a new secret on the tenant's current login role and returns it once.
    async fn issue_credentials(request: IssueCredentialsRequest) -> Result<Credentials, ApiError>;
    /// Stops an operation and undoes what it did; answers at once, follow it with `watch`.
    async fn cancel(request: CancelRequest) -> Result<Operation, ApiError>;
    /// Does again what an operation that ended badly was meant to do.
    async fn retry(request: RetryRequest) -> Result<OperationStarted, ApiError>;
    /// Closes a tenant's logins and ends its sessions; its data stays.
    async fn suspend(request: TenantChangeRequest) -> Result<OperationStarted, ApiError>;
    /// Opens the logins of a suspended tenant, or of a retiring one within its grace.
    async fn resume(request: TenantChangeRequest) -> Result<OperationStarted, ApiError>;
    async fn update_tenant(request: UpdateTenantRequest) -> Result<OperationStarted, ApiError>;
    /// Ends a tenant as planned: suspended, archived, and removed after a grace in which `resume` takes it back.
    async fn retire(request: RetireRequest) -> Result<OperationStarted, ApiError>;
    /// Opens the tenant's other login with a new secret, beside the current one.
    async fn rotate_credentials(request: RotateCredentialsRequest) -> Result<Credentials, ApiError>;
    /// Closes the login that a rotation replaced.
    async fn finish_rotation(request: FinishRotationRequest) -> Result<RotationFinished, ApiError>;
    /// Starts the whole battery against a tenant's isolation; the report is the tenant's newest.
    async fn verify_isolation(request: VerifyIsolationRequest) -> Result<OperationStarted, ApiError>;
    async fn tenants(request: TenantsRequest) -> Result<TenantsResponse, ApiError>;
    async fn tenant(request: TenantRequest) -> Result<TenantDetail, ApiError>;
    /// A page of the trail, newest first.
    async fn audit(request: AuditRequest) -> Result<AuditResponse, ApiError>;
    /// Starts a verification of the whole trail, or joins the one that runs; ask `audit_verification` how it goes.
    async fn audit_verify(request: AuditVerifyRequest) -> Result<AuditVerification, ApiError>;
    /// How far a verification is, or its verdict.
    async fn audit_verification(request: AuditVerificationRequest) -> Result<AuditVerification, ApiError>;
    /// Opens an export of the events that exist now; read it with `audit_export_read`. An event of the trail itself.
    async fn audit_export(request: AuditExportRequest) -> Result<AuditExport, ApiError>;
    /// The next part of an export.
    async fn audit_export_read(request: AuditExportReadRequest) -> Result<AuditExportPart, ApiError>;
    /// Says that a loss of events is known, after a restore from an older copy; the trail goes on from there.
    async fn audit_acknowledge(request: AuditAcknowledgeRequest) -> Result<AuditEvent, ApiError>;
    /// The public key that the trail is signed with.
    async fn audit_key(request: AuditKeyRequest) -> Result<AuditKey, ApiError>;
    /// Signs from now on with a new key, which the old one vouches for.
    async fn audit_rotate_key(request: AuditRotateKeyRequest) -> Result<AuditKey, ApiError>;
    /// Removes what names a customer or a person from events; the chain still verifies.
    async fn audit_redact(request: AuditRedactRequest) -> Result<AuditRedacted, ApiError>;
    /// The trail's segments, and the holds that keep them.
    async fn audit_segments(request: AuditSegmentsRequest) -> Result<AuditSegments, ApiError>;
    /// Keeps events from being pruned or redacted.
    async fn audit_hold(request: AuditHoldRequest) -> Result<AuditHold, ApiError>;
    /// Ends a hold.
    async fn audit_release(request: AuditReleaseRequest) -> Result<AuditHold, ApiError>;
    /// Drops sealed segments that are old enough; their last checkpoint stays.
    async fn audit_prune(request: AuditPruneRequest) -> Result<AuditPruned, ApiError>;
}
