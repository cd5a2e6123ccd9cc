//! The calls that take a request and give an answer: one line each, with its deadline. Calls that do more have functions of
//! their own beside this.

use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditExport, AuditExportRequest, AuditHold, AuditHoldRequest,
    AuditPruneRequest, AuditPruned, AuditRedactRequest, AuditRedacted, AuditReleaseRequest, AuditRequest,
    AuditResponse, AuditVerification, AuditVerifyRequest,
};
use tenantry_protocol::blueprint::{
    BlueprintDraft, BlueprintDraftRequest, BlueprintReport, BlueprintTrial, BlueprintUpload,
    BlueprintsRequest, BlueprintsResponse,
};
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::{
    CancelRequest, Operation, OperationsRequest, OperationsResponse, RetryRequest,
};
use tenantry_protocol::plan::Plan;
use tenantry_protocol::target::{TargetsRequest, TargetsResponse};
use tenantry_protocol::tenant::drift::{Drift, DriftRequest};
use tenantry_protocol::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, OperationStarted, ProvisionRequest,
    RetireRequest, RollbackRequest, RotateCredentialsRequest, RotationFinished, TenantChangeRequest,
    TenantsRequest, TenantsResponse, UpdateTenantRequest, UpgradeTenantRequest,
};

use tenantry_protocol::upgrade::{
    DowngradeRequest, Upgrade, UpgradeChangeRequest, UpgradePlan, UpgradeRequest, UpgradeStarted,
    UpgradeStatus, UpgradeUnitsRequest, UpgradeUnitsResponse, UpgradesRequest, UpgradesResponse,
};

use super::{CALL, Client, ClientError, LONG_CALL, within};

/// `NAME(REQUEST) -> ANSWER, within LIMIT;` is a function of the client that makes one call.
macro_rules! calls {
    ($($(#[$about:meta])* $name:ident($request:ty) -> $answer:ty, within $limit:ident;)*) => {
        impl Client {
            $(
                $(#[$about])*
                pub(crate) async fn $name(&self, request: $request) -> Result<$answer, ClientError> {
                    self.settle(stringify!($name), $limit, self.rpc.$name(within($limit), request).await)
                }
            )*
        }
    };
}

calls! {
    targets(TargetsRequest) -> TargetsResponse, within LONG_CALL;
    blueprints(BlueprintsRequest) -> BlueprintsResponse, within CALL;
    blueprint_check(BlueprintUpload) -> BlueprintReport, within LONG_CALL;
    blueprint_draft(BlueprintDraftRequest) -> BlueprintDraft, within LONG_CALL;
    blueprint_try(BlueprintTrial) -> BlueprintReport, within LONG_CALL;
    blueprint_add(BlueprintUpload) -> BlueprintReport, within LONG_CALL;
    plan(ProvisionRequest) -> Plan, within CALL;
    provision(ProvisionRequest) -> OperationStarted, within CALL;
    operations(OperationsRequest) -> OperationsResponse, within CALL;
    rollback(RollbackRequest) -> OperationStarted, within CALL;
    issue_credentials(IssueCredentialsRequest) -> Credentials, within CALL;
    rotate_credentials(RotateCredentialsRequest) -> Credentials, within CALL;
    /// It waits for the sessions that it ends.
    finish_rotation(FinishRotationRequest) -> RotationFinished, within LONG_CALL;
    suspend(TenantChangeRequest) -> OperationStarted, within CALL;
    resume(TenantChangeRequest) -> OperationStarted, within CALL;
    verify_isolation(VerifyIsolationRequest) -> OperationStarted, within CALL;
    /// The first answer about a version waits for a blank placement.
    drift(DriftRequest) -> Drift, within LONG_CALL;
    update_tenant(UpdateTenantRequest) -> OperationStarted, within CALL;
    upgrade_tenant(UpgradeTenantRequest) -> OperationStarted, within CALL;
    upgrade_plan(UpgradeRequest) -> UpgradePlan, within LONG_CALL;
    /// It waits for blank placements.
    upgrade_rehearse(UpgradeRequest) -> UpgradePlan, within LONG_CALL;
    upgrade(UpgradeRequest) -> UpgradeStarted, within LONG_CALL;
    downgrade(DowngradeRequest) -> UpgradeStarted, within LONG_CALL;
    upgrades(UpgradesRequest) -> UpgradesResponse, within CALL;
    upgrade_status(UpgradeChangeRequest) -> UpgradeStatus, within CALL;
    upgrade_units(UpgradeUnitsRequest) -> UpgradeUnitsResponse, within CALL;
    upgrade_pause(UpgradeChangeRequest) -> Upgrade, within CALL;
    upgrade_resume(UpgradeChangeRequest) -> Upgrade, within CALL;
    upgrade_cancel(UpgradeChangeRequest) -> Upgrade, within CALL;
    upgrade_retry(UpgradeChangeRequest) -> Upgrade, within CALL;
    retire(RetireRequest) -> OperationStarted, within CALL;
    cancel(CancelRequest) -> Operation, within CALL;
    retry(RetryRequest) -> OperationStarted, within CALL;
    tenants(TenantsRequest) -> TenantsResponse, within CALL;
    audit(AuditRequest) -> AuditResponse, within CALL;
    audit_verify(AuditVerifyRequest) -> AuditVerification, within LONG_CALL;
    audit_export(AuditExportRequest) -> AuditExport, within LONG_CALL;
    audit_acknowledge(AuditAcknowledgeRequest) -> AuditEvent, within LONG_CALL;
    audit_redact(AuditRedactRequest) -> AuditRedacted, within LONG_CALL;
    audit_hold(AuditHoldRequest) -> AuditHold, within CALL;
    audit_release(AuditReleaseRequest) -> AuditHold, within CALL;
    audit_prune(AuditPruneRequest) -> AuditPruned, within LONG_CALL;
}
