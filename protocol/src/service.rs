//! The RPC service. On the wire a request is tarpc's envelope around `{"Method":{"request":{…}}}`; the golden frames
//! in `tests/` freeze it, so that any language can speak it.
//!
//! Methods are added, never renamed or changed in meaning.

use crate::audit::{AuditRequest, AuditResponse};
use crate::blueprint::{BlueprintReport, BlueprintUpload, BlueprintsRequest, BlueprintsResponse};
use crate::error::ApiError;
use crate::operation::{Operation, OperationRequest, OperationsRequest, OperationsResponse};
use crate::plan::Plan;
use crate::session::{Health, HealthRequest, HelloRequest, HelloResponse};
use crate::target::{TargetsRequest, TargetsResponse};
use crate::tenant::{
    Credentials, IssueCredentialsRequest, OperationStarted, ProvisionRequest, RollbackPreview,
    RollbackPreviewRequest, RollbackRequest, TenantDetail, TenantRequest, TenantsRequest, TenantsResponse,
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
    async fn tenants(request: TenantsRequest) -> Result<TenantsResponse, ApiError>;
    async fn tenant(request: TenantRequest) -> Result<TenantDetail, ApiError>;
    async fn audit(request: AuditRequest) -> Result<AuditResponse, ApiError>;
}
