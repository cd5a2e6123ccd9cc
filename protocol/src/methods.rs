//! The table of the service's methods: what each takes and answers, the role that it needs, and whether it changes anything.
//!
//! A line here makes the method of the service, its entry in [`crate::service::METHODS`], its schema, and its way through the
//! daemon. Methods are added, never renamed or changed in meaning.

use crate::session::Role;

/// What a method does to what the daemon looks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, and leaves no event but a denial.
    Reads,
    /// It changes something, and leaves an event in the audit trail.
    Changes,
}

/// One method of the service.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// As in the service: `blueprint_add`.
    pub name: &'static str,
    /// The least role that may call it.
    pub role: Role,
    pub effect: Effect,
    /// What the audit trail calls it: `blueprint.add`.
    pub action: &'static str,
}

/// Hands the table to a macro, a line for each method but `hello`, which opens a connection:
/// `NAME(REQUEST) -> ANSWER: ROLE, EFFECT, ACTION;`.
#[macro_export]
macro_rules! with_methods {
    ($then:ident) => {
        $then! {
            health($crate::session::HealthRequest) -> $crate::session::Health: viewer, reads, "health";
            targets($crate::target::TargetsRequest) -> $crate::target::TargetsResponse: viewer, reads, "targets";
            blueprints($crate::blueprint::BlueprintsRequest) -> $crate::blueprint::BlueprintsResponse: viewer, reads, "blueprints";
            /// Reads and lints a folder; stores nothing.
            blueprint_check($crate::blueprint::BlueprintUpload) -> $crate::blueprint::BlueprintReport: viewer, reads, "blueprint_check";
            /// Stores a folder as a new, immutable version.
            blueprint_add($crate::blueprint::BlueprintUpload) -> $crate::blueprint::BlueprintReport: operator, changes, "blueprint.add";
            /// What `provision` would do with the same request; changes nothing.
            plan($crate::tenant::ProvisionRequest) -> $crate::plan::Plan: viewer, reads, "plan";
            /// Starts an operation and answers at once; follow it with `watch`.
            provision($crate::tenant::ProvisionRequest) -> $crate::tenant::OperationStarted: operator, changes, "provision";
            operations($crate::operation::OperationsRequest) -> $crate::operation::OperationsResponse: viewer, reads, "operations";
            operation($crate::operation::OperationRequest) -> $crate::operation::Operation: viewer, reads, "operation";
            /// Waits for events, at most `wait_ms`.
            watch($crate::watch::WatchRequest) -> $crate::watch::WatchResponse: viewer, reads, "watch";
            /// Starts the complete removal of a tenant and answers at once; follow it with `watch`.
            rollback($crate::tenant::RollbackRequest) -> $crate::tenant::OperationStarted: operator, changes, "rollback";
            /// What `rollback` would remove now; changes nothing.
            rollback_preview($crate::tenant::RollbackPreviewRequest) -> $crate::tenant::RollbackPreview: viewer, reads, "rollback_preview";
            /// Sets a new secret on the tenant's current login role and returns it once.
            issue_credentials($crate::tenant::IssueCredentialsRequest) -> $crate::tenant::Credentials: operator, changes, "credentials.issue";
            /// Stops an operation and undoes what it did; answers at once, follow it with `watch`.
            cancel($crate::operation::CancelRequest) -> $crate::operation::Operation: operator, changes, "cancel";
            /// Does again what an operation that ended badly was meant to do.
            retry($crate::operation::RetryRequest) -> $crate::tenant::OperationStarted: operator, changes, "retry";
            /// Closes a tenant's logins and ends its sessions; its data stays.
            suspend($crate::tenant::TenantChangeRequest) -> $crate::tenant::OperationStarted: operator, changes, "suspend";
            /// Opens the logins of a suspended tenant, or of a retiring one within its grace.
            resume($crate::tenant::TenantChangeRequest) -> $crate::tenant::OperationStarted: operator, changes, "resume";
            update_tenant($crate::tenant::UpdateTenantRequest) -> $crate::tenant::OperationStarted: operator, changes, "update_tenant";
            /// Ends a tenant as planned: suspended, archived, and removed after a grace in which `resume` takes it back.
            retire($crate::tenant::RetireRequest) -> $crate::tenant::OperationStarted: operator, changes, "retire";
            /// Opens the tenant's other login with a new secret, beside the current one.
            rotate_credentials($crate::tenant::RotateCredentialsRequest) -> $crate::tenant::Credentials: operator, changes, "credentials.rotate";
            /// Closes the login that a rotation replaced.
            finish_rotation($crate::tenant::FinishRotationRequest) -> $crate::tenant::RotationFinished: operator, changes, "credentials.finish";
            /// Starts the whole battery against a tenant's isolation; the report is the tenant's newest.
            verify_isolation($crate::isolation::VerifyIsolationRequest) -> $crate::tenant::OperationStarted: operator, changes, "verify_isolation";
            tenants($crate::tenant::TenantsRequest) -> $crate::tenant::TenantsResponse: viewer, reads, "tenants";
            tenant($crate::tenant::TenantRequest) -> $crate::tenant::TenantDetail: viewer, reads, "tenant";
            /// A page of the trail, newest first.
            audit($crate::audit::AuditRequest) -> $crate::audit::AuditResponse: viewer, reads, "audit";
            /// Starts a verification of the whole trail, or joins the one that runs; ask `audit_verification` how it goes.
            audit_verify($crate::audit::AuditVerifyRequest) -> $crate::audit::AuditVerification: viewer, changes, "audit.verify";
            /// How far a verification is, or its verdict.
            audit_verification($crate::audit::AuditVerificationRequest) -> $crate::audit::AuditVerification: viewer, reads, "audit.verify";
            /// Opens an export of the events that exist now; read it with `audit_export_read`. An event of the trail itself.
            audit_export($crate::audit::AuditExportRequest) -> $crate::audit::AuditExport: operator, changes, "audit.export";
            /// The next part of an export.
            audit_export_read($crate::audit::AuditExportReadRequest) -> $crate::audit::AuditExportPart: operator, reads, "audit.export";
            /// Says that a loss of events is known, after a restore from an older copy; the trail goes on from there.
            audit_acknowledge($crate::audit::AuditAcknowledgeRequest) -> $crate::audit::AuditEvent: admin, changes, "audit.acknowledge";
            /// The public key that the trail is signed with.
            audit_key($crate::audit::AuditKeyRequest) -> $crate::audit::AuditKey: viewer, reads, "audit.key";
            /// Signs from now on with a new key, which the old one vouches for.
            audit_rotate_key($crate::audit::AuditRotateKeyRequest) -> $crate::audit::AuditKey: admin, changes, "audit.rotate_key";
            /// Removes what names a customer or a person from events; the chain still verifies.
            audit_redact($crate::audit::AuditRedactRequest) -> $crate::audit::AuditRedacted: admin, changes, "audit.redact";
            /// The trail's segments, and the holds that keep them.
            audit_segments($crate::audit::AuditSegmentsRequest) -> $crate::audit::AuditSegments: viewer, reads, "audit.segments";
            /// Keeps events from being pruned or redacted.
            audit_hold($crate::audit::AuditHoldRequest) -> $crate::audit::AuditHold: admin, changes, "audit.hold";
            /// Ends a hold.
            audit_release($crate::audit::AuditReleaseRequest) -> $crate::audit::AuditHold: admin, changes, "audit.release";
            /// Drops sealed segments that are old enough; their last checkpoint stays.
            audit_prune($crate::audit::AuditPruneRequest) -> $crate::audit::AuditPruned: admin, changes, "audit.prune";
        }
    };
}
