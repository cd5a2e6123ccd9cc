//! JSON Schemas of every call, generated from the types: what a request may hold and what an answer looks like.

use schemars::{JsonSchema, Schema, schema_for};

use crate::audit::{AuditRequest, AuditResponse};
use crate::blueprint::{BlueprintReport, BlueprintUpload, BlueprintsRequest, BlueprintsResponse};
use crate::operation::{Operation, OperationRequest, OperationsRequest, OperationsResponse};
use crate::plan::Plan;
use crate::session::{Health, HealthRequest, HelloRequest, HelloResponse};
use crate::target::{TargetsRequest, TargetsResponse};
use crate::tenant::{
    Credentials, IssueCredentialsRequest, OperationStarted, ProvisionRequest, RollbackPreview,
    RollbackPreviewRequest, RollbackRequest, TenantDetail, TenantRequest, TenantsRequest, TenantsResponse,
};
use crate::watch::{WatchRequest, WatchResponse};

/// One call of the service.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MethodSchema {
    /// As in the service: `blueprint_add`.
    pub method: &'static str,
    pub request: Schema,
    pub response: Schema,
}

/// All calls, in the order of the service.
pub fn methods() -> Vec<MethodSchema> {
    vec![
        method::<HelloRequest, HelloResponse>("hello"),
        method::<HealthRequest, Health>("health"),
        method::<TargetsRequest, TargetsResponse>("targets"),
        method::<BlueprintsRequest, BlueprintsResponse>("blueprints"),
        method::<BlueprintUpload, BlueprintReport>("blueprint_check"),
        method::<BlueprintUpload, BlueprintReport>("blueprint_add"),
        method::<ProvisionRequest, Plan>("plan"),
        method::<ProvisionRequest, OperationStarted>("provision"),
        method::<OperationsRequest, OperationsResponse>("operations"),
        method::<OperationRequest, Operation>("operation"),
        method::<WatchRequest, WatchResponse>("watch"),
        method::<RollbackRequest, OperationStarted>("rollback"),
        method::<RollbackPreviewRequest, RollbackPreview>("rollback_preview"),
        method::<IssueCredentialsRequest, Credentials>("issue_credentials"),
        method::<TenantsRequest, TenantsResponse>("tenants"),
        method::<TenantRequest, TenantDetail>("tenant"),
        method::<AuditRequest, AuditResponse>("audit"),
    ]
}

fn method<Request: JsonSchema, Response: JsonSchema>(method: &'static str) -> MethodSchema {
    MethodSchema { method, request: schema_for!(Request), response: schema_for!(Response) }
}
