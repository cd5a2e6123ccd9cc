//! What can happen to the console, and what it can ask to be done.
//!
//! Invariant: everything that changes the state is an [`Event`], and everything with an outside effect is an [`Effect`].
//! Data from the daemon has been made harmless for a terminal before it is put into an event.

use crossterm::event::KeyEvent;
use tenantry_protocol::ApiError;
use tenantry_protocol::audit::{
    AuditExportRequest, AuditFilter, AuditResponse, AuditVerification, TrailStatus,
};
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::operation::Operation;
use tenantry_protocol::plan::Plan;
use tenantry_protocol::session::HelloResponse;
use tenantry_protocol::target::Target;
use tenantry_protocol::tenant::{
    Credentials, ProvisionRequest, RollbackPreview, RollbackRequest, Tenant, TenantDetail,
};
use tenantry_protocol::upgrade::{Upgrade, UpgradePlan, UpgradeRequest, UpgradeStatus};
use tenantry_protocol::watch::WatchResponse;
use time::OffsetDateTime;

use super::action::Hand;
use super::state::audit::export::ExportProgress;
use super::ticket::Ticket;

#[derive(Debug)]
pub(crate) enum Event {
    Key(KeyEvent),
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The time, for ages and elapsed times.
    Tick(OffsetDateTime),
    /// A request to end, from a signal or because the terminal is gone.
    Terminate,
    Connected(Box<HelloResponse>),
    Lost(String),
    /// All living tenants, ordered by slug.
    Tenants(Vec<Tenant>),
    Blueprints(Vec<Blueprint>),
    Targets(Vec<Target>),
    Watched(WatchResponse),
    /// One operation in its present state, read on its own.
    Operation(Box<Operation>),
    Planned {
        ticket: Ticket,
        /// A fresh idempotency key, for the provision that may follow.
        key: String,
        result: Result<Box<Plan>, ApiError>,
    },
    /// The answer to a request that starts an operation.
    Started {
        ticket: Ticket,
        result: Result<Box<Operation>, ApiError>,
    },
    Credentials {
        ticket: Ticket,
        result: Result<Credentials, ApiError>,
    },
    /// One tenant, read on its own by its id.
    Detail {
        id: String,
        result: Result<Box<TenantDetail>, ApiError>,
    },
    /// What a rollback of this tenant would remove.
    Preview {
        id: TenantId,
        result: Result<Box<RollbackPreview>, ApiError>,
    },
    /// The answer to a request to cancel: the operation in its present state.
    Cancelling(Result<Box<Operation>, ApiError>),
    /// The newest operations on all tenants.
    Operations(Result<Vec<Operation>, ApiError>),
    /// The newest upgrades of many tenants.
    Upgrades(Result<Vec<Upgrade>, ApiError>),
    /// One upgrade with its failures.
    UpgradeStatus {
        ticket: Ticket,
        result: Result<Box<UpgradeStatus>, ApiError>,
    },
    /// What an upgrade would do, and a fresh idempotency key for the one that may follow.
    UpgradePlanned {
        ticket: Ticket,
        key: String,
        result: Result<Box<UpgradePlan>, ApiError>,
    },
    /// The answer to a request that begins an upgrade.
    UpgradeBegun {
        ticket: Ticket,
        result: Result<Box<Upgrade>, ApiError>,
    },
    /// What was done to an upgrade, and the upgrade after it.
    Steered {
        hand: Hand,
        result: Result<Box<Upgrade>, ApiError>,
    },
    /// A page of the audit trail; `before` is what was asked for.
    Audit {
        ticket: Ticket,
        before: Option<i64>,
        result: Result<Box<AuditResponse>, ApiError>,
    },
    /// The state of the trail.
    Trail(TrailStatus),
    /// The progress of a verification of the trail, or its findings.
    Verification {
        ticket: Ticket,
        result: Result<Box<AuditVerification>, ApiError>,
    },
    /// The progress of an export.
    Exporting {
        ticket: Ticket,
        progress: ExportProgress,
    },
    Exported {
        ticket: Ticket,
        /// What was written and where, as a sentence; or why it was not written.
        result: Result<String, String>,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Quit,
    /// Give the terminal back until the shell resumes this process.
    Suspend,
    /// Keys that were typed before the new dialog opened are not meant for it.
    DropInput,
    LoadTenants,
    /// The versions that are stored.
    LoadBlueprints,
    /// By tenant id.
    LoadDetail(String),
    /// The newest events that match, or only those before a number, if one is given.
    LoadAudit {
        ticket: Ticket,
        query: Box<AuditFilter>,
        before: Option<i64>,
        pace: Pace,
    },
    /// Load the state of the trail.
    LoadTrail,
    /// Start a verification of the trail.
    VerifyTrail(Ticket),
    /// Load the progress of a verification, by the daemon's id.
    Verification {
        ticket: Ticket,
        id: String,
    },
    /// Write an export to a file with that name.
    Export {
        ticket: Ticket,
        request: Box<AuditExportRequest>,
        path: String,
    },
    /// Cancel the export that is running.
    StopExport,
    LoadOperation(OperationId),
    LoadOperations,
    LoadUpgrades,
    LoadUpgrade {
        ticket: Ticket,
        id: UpgradeId,
    },
    PlanUpgrade {
        ticket: Ticket,
        request: Box<UpgradeRequest>,
    },
    /// The plan, with what blank placements show.
    RehearseUpgrade {
        ticket: Ticket,
        request: Box<UpgradeRequest>,
    },
    BeginUpgrade {
        ticket: Ticket,
        request: Box<UpgradeRequest>,
    },
    /// Pause an upgrade, resume it, cancel it, or try its failures again.
    Steer {
        id: UpgradeId,
        hand: Hand,
    },
    LoadPreview(TenantId),
    Plan {
        ticket: Ticket,
        request: Box<ProvisionRequest>,
    },
    Provision {
        ticket: Ticket,
        request: Box<ProvisionRequest>,
    },
    /// The runner adds the idempotency key.
    Rollback {
        ticket: Ticket,
        request: RollbackRequest,
    },
    IssueCredentials {
        ticket: Ticket,
        slug: String,
    },
    /// By tenant id.
    SuspendTenant {
        ticket: Ticket,
        id: TenantId,
    },
    ResumeTenant {
        ticket: Ticket,
        id: TenantId,
    },
    /// Attack the tenant with the whole battery.
    Verify {
        ticket: Ticket,
        id: TenantId,
    },
    Cancel(OperationId),
    /// The same operation again, as a new one.
    RetryOperation {
        ticket: Ticket,
        id: OperationId,
    },
    /// Copy to the terminal's clipboard.
    Copy(String),
}

/// When the daemon is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Now,
    /// After a pause: a flood of events must not keep the daemon searching.
    Rested,
}
