//! The service on one connection: `hello` first, then one-line delegations to the commands.
//!
//! A panic in a command becomes an answer; without that the caller would wait for its deadline.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures::FutureExt as _;
use tarpc::context::Context;
use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditExport, AuditExportPart, AuditExportReadRequest,
    AuditExportRequest, AuditHold, AuditHoldRequest, AuditKey, AuditKeyRequest, AuditPruneRequest,
    AuditPruned, AuditRedactRequest, AuditRedacted, AuditReleaseRequest, AuditRequest, AuditResponse,
    AuditRotateKeyRequest, AuditSegments, AuditSegmentsRequest, AuditVerification, AuditVerificationRequest,
    AuditVerifyRequest,
};
use tenantry_protocol::blueprint::{BlueprintReport, BlueprintUpload, BlueprintsRequest, BlueprintsResponse};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::{
    CancelRequest, Operation, OperationRequest, OperationsRequest, OperationsResponse, RetryRequest,
};
use tenantry_protocol::plan::Plan;
use tenantry_protocol::service::Tenantry;
use tenantry_protocol::session::{Health, HealthRequest, HelloRequest, HelloResponse};
use tenantry_protocol::target::{TargetsRequest, TargetsResponse};
use tenantry_protocol::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, OperationStarted, ProvisionRequest,
    RetireRequest, RollbackPreview, RollbackPreviewRequest, RollbackRequest, RotateCredentialsRequest,
    RotationFinished, TenantChangeRequest, TenantDetail, TenantRequest, TenantsRequest, TenantsResponse,
    UpdateTenantRequest,
};
use tenantry_protocol::watch::{WatchRequest, WatchResponse};

use crate::commands::{self, App, Caller};

/// Claims that are kept of a client, and the longest of them in characters.
const MOST_CLAIMS: usize = 16;
const LONGEST_CLAIM: usize = 200;

/// One connection's service. Clones share the connection's state.
#[derive(Debug, Clone)]
pub(super) struct Session {
    app: Arc<App>,
    /// As the kernel says, before the client said anything.
    peer: Arc<Caller>,
    /// With the client's claims, from `hello` on.
    greeted: Arc<OnceLock<Caller>>,
}

impl Session {
    pub(super) fn new(app: Arc<App>, peer: Caller) -> Self {
        Self { app, peer: Arc::new(peer), greeted: Arc::default() }
    }

    fn caller(&self) -> Result<&Caller, ApiError> {
        self.greeted.get().ok_or_else(|| {
            ApiError::new(
                ErrorCode::Precondition,
                "the first call of a connection is hello: say hello, then ask again",
            )
        })
    }
}

/// A command's answer, or `internal` if it panicked; the panic's text is in the log.
async fn contained<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            let message = "something unexpected went wrong: the daemon's log says what; please report it";
            Err(ApiError::new(ErrorCode::Internal, message))
        }
    }
}

/// What a client claims, cut to a bounded size and freed of characters that act on a terminal.
fn clean_claims(claims: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST_CLAIM).collect::<String>();
    claims.iter().take(MOST_CLAIMS).map(|(key, value)| (clean(key), clean(value))).collect()
}

impl Tenantry for Session {
    async fn hello(self, _: Context, request: HelloRequest) -> Result<HelloResponse, ApiError> {
        let caller = Caller { claimed: clean_claims(&request.client.claimed), ..(*self.peer).clone() };
        let answer = contained(commands::hello(&self.app, &caller, &request)).await?;
        // A second hello changes nothing: the first one said who is calling.
        let _ = self.greeted.set(caller);
        Ok(answer)
    }

    async fn health(self, _: Context, request: HealthRequest) -> Result<Health, ApiError> {
        contained(commands::health(&self.app, self.caller()?, &request)).await
    }

    async fn targets(self, _: Context, request: TargetsRequest) -> Result<TargetsResponse, ApiError> {
        contained(commands::targets(&self.app, self.caller()?, &request)).await
    }

    async fn blueprints(
        self,
        _: Context,
        request: BlueprintsRequest,
    ) -> Result<BlueprintsResponse, ApiError> {
        contained(commands::blueprints(&self.app, self.caller()?, &request)).await
    }

    async fn blueprint_check(
        self,
        _: Context,
        request: BlueprintUpload,
    ) -> Result<BlueprintReport, ApiError> {
        contained(commands::blueprint_check(&self.app, self.caller()?, request)).await
    }

    async fn blueprint_add(self, _: Context, request: BlueprintUpload) -> Result<BlueprintReport, ApiError> {
        contained(commands::blueprint_add(&self.app, self.caller()?, request)).await
    }

    async fn plan(self, _: Context, request: ProvisionRequest) -> Result<Plan, ApiError> {
        contained(commands::plan(&self.app, self.caller()?, &request)).await
    }

    async fn provision(self, _: Context, request: ProvisionRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::provision(&self.app, self.caller()?, request)).await
    }

    async fn operations(
        self,
        _: Context,
        request: OperationsRequest,
    ) -> Result<OperationsResponse, ApiError> {
        contained(commands::operations(&self.app, self.caller()?, &request)).await
    }

    async fn operation(self, _: Context, request: OperationRequest) -> Result<Operation, ApiError> {
        contained(commands::operation(&self.app, self.caller()?, &request)).await
    }

    async fn watch(self, _: Context, request: WatchRequest) -> Result<WatchResponse, ApiError> {
        contained(commands::watch(&self.app, self.caller()?, &request)).await
    }

    async fn rollback(self, _: Context, request: RollbackRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::rollback(&self.app, self.caller()?, request)).await
    }

    async fn rollback_preview(
        self,
        _: Context,
        request: RollbackPreviewRequest,
    ) -> Result<RollbackPreview, ApiError> {
        contained(commands::rollback_preview(&self.app, self.caller()?, &request)).await
    }

    async fn issue_credentials(
        self,
        _: Context,
        request: IssueCredentialsRequest,
    ) -> Result<Credentials, ApiError> {
        contained(commands::issue_credentials(&self.app, self.caller()?, request)).await
    }

    async fn cancel(self, _: Context, request: CancelRequest) -> Result<Operation, ApiError> {
        contained(commands::cancel(&self.app, self.caller()?, request)).await
    }

    async fn retry(self, _: Context, request: RetryRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::retry(&self.app, self.caller()?, request)).await
    }

    async fn suspend(self, _: Context, request: TenantChangeRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::suspend(&self.app, self.caller()?, request)).await
    }

    async fn resume(self, _: Context, request: TenantChangeRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::resume(&self.app, self.caller()?, request)).await
    }

    async fn update_tenant(
        self,
        _: Context,
        request: UpdateTenantRequest,
    ) -> Result<OperationStarted, ApiError> {
        contained(commands::update_tenant(&self.app, self.caller()?, request)).await
    }

    async fn retire(self, _: Context, request: RetireRequest) -> Result<OperationStarted, ApiError> {
        contained(commands::retire(&self.app, self.caller()?, request)).await
    }

    async fn rotate_credentials(
        self,
        _: Context,
        request: RotateCredentialsRequest,
    ) -> Result<Credentials, ApiError> {
        contained(commands::rotate_credentials(&self.app, self.caller()?, request)).await
    }

    async fn finish_rotation(
        self,
        _: Context,
        request: FinishRotationRequest,
    ) -> Result<RotationFinished, ApiError> {
        contained(commands::finish_rotation(&self.app, self.caller()?, request)).await
    }

    async fn verify_isolation(
        self,
        _: Context,
        request: VerifyIsolationRequest,
    ) -> Result<OperationStarted, ApiError> {
        contained(commands::verify_isolation(&self.app, self.caller()?, request)).await
    }

    async fn tenants(self, _: Context, request: TenantsRequest) -> Result<TenantsResponse, ApiError> {
        contained(commands::tenants(&self.app, self.caller()?, &request)).await
    }

    async fn tenant(self, _: Context, request: TenantRequest) -> Result<TenantDetail, ApiError> {
        contained(commands::tenant(&self.app, self.caller()?, &request)).await
    }

    async fn audit(self, _: Context, request: AuditRequest) -> Result<AuditResponse, ApiError> {
        contained(commands::audit(&self.app, self.caller()?, &request)).await
    }

    async fn audit_verify(
        self,
        _: Context,
        request: AuditVerifyRequest,
    ) -> Result<AuditVerification, ApiError> {
        contained(commands::audit_verify(&self.app, self.caller()?, request)).await
    }

    async fn audit_verification(
        self,
        _: Context,
        request: AuditVerificationRequest,
    ) -> Result<AuditVerification, ApiError> {
        contained(commands::audit_verification(&self.app, self.caller()?, request)).await
    }

    async fn audit_export(self, _: Context, request: AuditExportRequest) -> Result<AuditExport, ApiError> {
        contained(commands::audit_export(&self.app, self.caller()?, request)).await
    }

    async fn audit_export_read(
        self,
        _: Context,
        request: AuditExportReadRequest,
    ) -> Result<AuditExportPart, ApiError> {
        contained(commands::audit_export_read(&self.app, self.caller()?, request)).await
    }

    async fn audit_acknowledge(
        self,
        _: Context,
        request: AuditAcknowledgeRequest,
    ) -> Result<AuditEvent, ApiError> {
        contained(commands::audit_acknowledge(&self.app, self.caller()?, request)).await
    }

    async fn audit_key(self, _: Context, request: AuditKeyRequest) -> Result<AuditKey, ApiError> {
        contained(commands::audit_key(&self.app, self.caller()?, request)).await
    }

    async fn audit_rotate_key(
        self,
        _: Context,
        request: AuditRotateKeyRequest,
    ) -> Result<AuditKey, ApiError> {
        contained(commands::audit_rotate_key(&self.app, self.caller()?, request)).await
    }

    async fn audit_redact(self, _: Context, request: AuditRedactRequest) -> Result<AuditRedacted, ApiError> {
        contained(commands::audit_redact(&self.app, self.caller()?, request)).await
    }

    async fn audit_segments(
        self,
        _: Context,
        request: AuditSegmentsRequest,
    ) -> Result<AuditSegments, ApiError> {
        contained(commands::audit_segments(&self.app, self.caller()?, request)).await
    }

    async fn audit_hold(self, _: Context, request: AuditHoldRequest) -> Result<AuditHold, ApiError> {
        contained(commands::audit_hold(&self.app, self.caller()?, request)).await
    }

    async fn audit_release(self, _: Context, request: AuditReleaseRequest) -> Result<AuditHold, ApiError> {
        contained(commands::audit_release(&self.app, self.caller()?, request)).await
    }

    async fn audit_prune(self, _: Context, request: AuditPruneRequest) -> Result<AuditPruned, ApiError> {
        contained(commands::audit_prune(&self.app, self.caller()?, request)).await
    }
}
