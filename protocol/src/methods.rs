//! The table of the service's methods: request and answer of each, the role that it needs, and whether it changes anything.
//!
//! A line here defines the method of the service, its entry in [`crate::service::METHODS`], its schema, and its way
//! through the daemon. Methods are added, never renamed or changed in meaning.

use crate::session::Role;

/// What a method does to the state that the daemon manages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, and records no event except a denial.
    Reads,
    /// It changes something, and records an event in the audit trail.
    Changes,
}

/// One method of the service.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    /// The name in the service: `blueprint_add`.
    pub name: &'static str,
    /// The least role that may call it.
    pub role: Role,
    pub effect: Effect,
    /// The name in the audit trail: `blueprint.add`.
    pub action: &'static str,
}

/// Hands the table to a macro, one line for each method except `hello`, which opens a connection:
/// `NAME(REQUEST) -> ANSWER: ROLE, EFFECT, ACTION;`.
#[macro_export]
macro_rules! with_methods {
    ($then:ident) => {
        $then! {
            health($crate::session::HealthRequest) -> $crate::session::Health: Viewer, Reads, "health";
            targets($crate::target::TargetsRequest) -> $crate::target::TargetsResponse: Viewer, Reads, "targets";
            blueprints($crate::blueprint::BlueprintsRequest) -> $crate::blueprint::BlueprintsResponse: Viewer, Reads, "blueprints";
            /// Reads and lints a folder; stores nothing.
            blueprint_check($crate::blueprint::BlueprintUpload) -> $crate::blueprint::BlueprintReport: Viewer, Reads, "blueprint_check";
            /// Writes the manifest for a folder that has none; stores nothing.
            blueprint_draft($crate::blueprint::BlueprintDraftRequest) -> $crate::blueprint::BlueprintDraft: Viewer, Reads, "blueprint_draft";
            /// Builds a folder on a target in a transaction that is rolled back; stores nothing.
            blueprint_try($crate::blueprint::BlueprintTrial) -> $crate::blueprint::BlueprintReport: Operator, Reads, "blueprint_try";
            /// Stores a folder as a new, immutable version.
            blueprint_add($crate::blueprint::BlueprintUpload) -> $crate::blueprint::BlueprintReport: Operator, Changes, "blueprint.add";
            /// What `provision` would do with the same request; changes nothing.
            plan($crate::tenant::ProvisionRequest) -> $crate::plan::Plan: Viewer, Reads, "plan";
            /// Starts an operation and answers at once; follow it with `watch`.
            provision($crate::tenant::ProvisionRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "provision";
            operations($crate::operation::OperationsRequest) -> $crate::operation::OperationsResponse: Viewer, Reads, "operations";
            operation($crate::operation::OperationRequest) -> $crate::operation::Operation: Viewer, Reads, "operation";
            /// Waits for events, at most `wait_ms`.
            watch($crate::watch::WatchRequest) -> $crate::watch::WatchResponse: Viewer, Reads, "watch";
            /// Starts the complete removal of a tenant and answers at once; follow it with `watch`.
            rollback($crate::tenant::RollbackRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "rollback";
            /// What `rollback` would remove now; changes nothing.
            rollback_preview($crate::tenant::RollbackPreviewRequest) -> $crate::tenant::RollbackPreview: Viewer, Reads, "rollback_preview";
            /// Sets a new secret on the tenant's current login role and returns it once.
            issue_credentials($crate::tenant::IssueCredentialsRequest) -> $crate::tenant::Credentials: Operator, Changes, "credentials.issue";
            /// Stops an operation and undoes what it did; answers at once, follow it with `watch`.
            cancel($crate::operation::CancelRequest) -> $crate::operation::Operation: Operator, Changes, "cancel";
            /// Repeats the work of an operation that ended badly.
            retry($crate::operation::RetryRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "retry";
            /// Closes a tenant's logins and ends its sessions; its data stays.
            suspend($crate::tenant::TenantChangeRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "suspend";
            /// Opens the logins of a suspended tenant, or of a retiring one within its grace.
            resume($crate::tenant::TenantChangeRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "resume";
            update_tenant($crate::tenant::UpdateTenantRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "update_tenant";
            /// Brings a tenant to a later version of its blueprint, while it serves.
            upgrade_tenant($crate::tenant::UpgradeTenantRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "upgrade_tenant";
            /// What `upgrade` would do with the same request; changes nothing.
            upgrade_plan($crate::upgrade::UpgradeRequest) -> $crate::upgrade::UpgradePlan: Viewer, Reads, "upgrade_plan";
            /// The plan, with what a rehearsal on blank placements sees; changes no tenant.
            upgrade_rehearse($crate::upgrade::UpgradeRequest) -> $crate::upgrade::UpgradePlan: Operator, Reads, "upgrade_rehearse";
            /// Starts an upgrade of all tenants of a blueprint and answers at once; follow it with `watch`.
            upgrade($crate::upgrade::UpgradeRequest) -> $crate::upgrade::UpgradeStarted: Operator, Changes, "blueprint.upgrade";
            /// Starts a downgrade of tenants of a blueprint and answers at once; it is followed and steered like an upgrade.
            downgrade($crate::upgrade::DowngradeRequest) -> $crate::upgrade::UpgradeStarted: Operator, Changes, "blueprint.downgrade";
            /// The upgrades of many tenants, newest first.
            upgrades($crate::upgrade::UpgradesRequest) -> $crate::upgrade::UpgradesResponse: Viewer, Reads, "upgrades";
            /// How far an upgrade is, and what failed.
            upgrade_status($crate::upgrade::UpgradeChangeRequest) -> $crate::upgrade::UpgradeStatus: Viewer, Reads, "upgrade_status";
            /// A page of an upgrade's tenants.
            upgrade_units($crate::upgrade::UpgradeUnitsRequest) -> $crate::upgrade::UpgradeUnitsResponse: Viewer, Reads, "upgrade_units";
            /// Begins no further tenant; those that run end by themselves.
            upgrade_pause($crate::upgrade::UpgradeChangeRequest) -> $crate::upgrade::Upgrade: Operator, Changes, "blueprint.upgrade.pause";
            /// Goes on, also past what paused it.
            upgrade_resume($crate::upgrade::UpgradeChangeRequest) -> $crate::upgrade::Upgrade: Operator, Changes, "blueprint.upgrade.resume";
            /// Ends an upgrade; tenants that were upgraded stay so.
            upgrade_cancel($crate::upgrade::UpgradeChangeRequest) -> $crate::upgrade::Upgrade: Operator, Changes, "blueprint.upgrade.cancel";
            /// Tries the tenants again that failed or were skipped.
            upgrade_retry($crate::upgrade::UpgradeChangeRequest) -> $crate::upgrade::Upgrade: Operator, Changes, "blueprint.upgrade.retry";
            /// Ends a tenant as planned: suspended, archived, and removed after a grace period, in which `resume`
            /// restores it.
            retire($crate::tenant::RetireRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "retire";
            /// Opens the tenant's other login with a new secret, beside the current one.
            rotate_credentials($crate::tenant::RotateCredentialsRequest) -> $crate::tenant::Credentials: Operator, Changes, "credentials.rotate";
            /// Closes the login that a rotation replaced.
            finish_rotation($crate::tenant::FinishRotationRequest) -> $crate::tenant::RotationFinished: Operator, Changes, "credentials.finish";
            /// Starts the whole battery against a tenant's isolation; the report is the tenant's newest.
            verify_isolation($crate::isolation::VerifyIsolationRequest) -> $crate::tenant::OperationStarted: Operator, Changes, "verify_isolation";
            tenants($crate::tenant::TenantsRequest) -> $crate::tenant::TenantsResponse: Viewer, Reads, "tenants";
            tenant($crate::tenant::TenantRequest) -> $crate::tenant::TenantDetail: Viewer, Reads, "tenant";
            /// How a tenant's objects differ from those of a new tenant of its version; changes nothing of the tenant.
            drift($crate::tenant::drift::DriftRequest) -> $crate::tenant::drift::Drift: Operator, Reads, "drift";
            /// A page of the trail, newest first.
            audit($crate::audit::AuditRequest) -> $crate::audit::AuditResponse: Viewer, Reads, "audit";
            /// Starts a verification of the whole trail, or joins a running one; `audit_verification` shows its progress.
            audit_verify($crate::audit::AuditVerifyRequest) -> $crate::audit::AuditVerification: Viewer, Changes, "audit.verify";
            /// The progress of a verification, or its verdict.
            audit_verification($crate::audit::AuditVerificationRequest) -> $crate::audit::AuditVerification: Viewer, Reads, "audit.verify";
            /// Opens an export of the events that exist now; read it with `audit_export_read`. The trail records the
            /// export itself.
            audit_export($crate::audit::AuditExportRequest) -> $crate::audit::AuditExport: Operator, Changes, "audit.export";
            /// The next part of an export.
            audit_export_read($crate::audit::AuditExportReadRequest) -> $crate::audit::AuditExportPart: Operator, Reads, "audit.export";
            /// Acknowledges a loss of events, after a restore from an older copy; the trail goes on from there.
            audit_acknowledge($crate::audit::AuditAcknowledgeRequest) -> $crate::audit::AuditEvent: Admin, Changes, "audit.acknowledge";
            /// The public key that the trail is signed with.
            audit_key($crate::audit::AuditKeyRequest) -> $crate::audit::AuditKey: Viewer, Reads, "audit.key";
            /// Changes to a new signing key, which the old one vouches for.
            audit_rotate_key($crate::audit::AuditRotateKeyRequest) -> $crate::audit::AuditKey: Admin, Changes, "audit.rotate_key";
            /// Removes the names of a customer or a person from events; the chain still verifies.
            audit_redact($crate::audit::AuditRedactRequest) -> $crate::audit::AuditRedacted: Admin, Changes, "audit.redact";
            /// The trail's segments, and the holds that keep them.
            audit_segments($crate::audit::AuditSegmentsRequest) -> $crate::audit::AuditSegments: Viewer, Reads, "audit.segments";
            /// Keeps events from being pruned or redacted.
            audit_hold($crate::audit::AuditHoldRequest) -> $crate::audit::AuditHold: Admin, Changes, "audit.hold";
            /// Ends a hold.
            audit_release($crate::audit::AuditReleaseRequest) -> $crate::audit::AuditHold: Admin, Changes, "audit.release";
            /// Drops sealed segments that are old enough; their last checkpoint stays.
            audit_prune($crate::audit::AuditPruneRequest) -> $crate::audit::AuditPruned: Admin, Changes, "audit.prune";
        }
    };
}
