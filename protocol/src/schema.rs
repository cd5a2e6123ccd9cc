//! JSON Schemas of every call, generated from the types: what a request may hold and what an answer looks like.

use schemars::{JsonSchema, Schema, schema_for};

use crate::audit::{AuditRequest, AuditResponse};
use crate::blueprint::{BlueprintReport, BlueprintUpload, BlueprintsRequest, BlueprintsResponse};
use crate::operation::{
    CancelRequest, Operation, OperationRequest, OperationsRequest, OperationsResponse, RetryRequest,
};
use crate::plan::Plan;
use crate::session::{Health, HealthRequest, HelloRequest, HelloResponse};
use crate::target::{TargetsRequest, TargetsResponse};
use crate::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, OperationStarted, ProvisionRequest,
    RetireRequest, RollbackRequest, RotateCredentialsRequest, RotationFinished, TenantChangeRequest,
    TenantDetail, TenantRequest, TenantsRequest, TenantsResponse, UpdateTenantRequest,
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
        method::<IssueCredentialsRequest, Credentials>("issue_credentials"),
        method::<CancelRequest, Operation>("cancel"),
        method::<RetryRequest, OperationStarted>("retry"),
        method::<TenantChangeRequest, OperationStarted>("suspend"),
        method::<TenantChangeRequest, OperationStarted>("resume"),
        method::<UpdateTenantRequest, OperationStarted>("update_tenant"),
        method::<RetireRequest, OperationStarted>("retire"),
        method::<RotateCredentialsRequest, Credentials>("rotate_credentials"),
        method::<FinishRotationRequest, RotationFinished>("finish_rotation"),
        method::<TenantsRequest, TenantsResponse>("tenants"),
        method::<TenantRequest, TenantDetail>("tenant"),
        method::<AuditRequest, AuditResponse>("audit"),
    ]
}

fn method<Request: JsonSchema, Response: JsonSchema>(method: &'static str) -> MethodSchema {
    MethodSchema { method, request: schema_for!(Request), response: schema_for!(Response) }
}
