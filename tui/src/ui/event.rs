//! What can happen to the console, and what it can ask to be done.
//!
//! Invariant: everything that changes the state is an [`Event`], everything that touches the world an [`Effect`].
//! What comes from the daemon has been made harmless for a terminal before it is put into an event.

use crossterm::event::KeyEvent;
use tenantry_protocol::ApiError;
use tenantry_protocol::audit::{
    AuditExportRequest, AuditFilter, AuditResponse, AuditVerification, TrailStatus,
};
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::operation::Operation;
use tenantry_protocol::plan::Plan;
use tenantry_protocol::session::HelloResponse;
use tenantry_protocol::target::Target;
use tenantry_protocol::tenant::{
    Credentials, ProvisionRequest, RollbackPreview, RollbackRequest, Tenant, TenantDetail,
};
use tenantry_protocol::watch::WatchResponse;
use time::OffsetDateTime;

use super::state::export::ExportProgress;
use super::ticket::Ticket;

#[derive(Debug)]
pub(crate) enum Event {
    Key(KeyEvent),
    Paste(String),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The time, for ages and elapsed times.
    Tick(OffsetDateTime),
    /// An order to end, from a signal or from a terminal that is gone.
    Terminate,
    Connected(Box<HelloResponse>),
    Lost(String),
    /// All living tenants, ordered by slug.
    Tenants(Vec<Tenant>),
    Blueprints(Vec<Blueprint>),
    Targets(Vec<Target>),
    Watched(WatchResponse),
    /// One operation as it is now, read for itself.
    Operation(Box<Operation>),
    Planned {
        ticket: Ticket,
        /// A fresh idempotency key, for the provision that may follow.
        key: String,
        result: Result<Box<Plan>, ApiError>,
    },
    /// The answer to whatever began an operation.
    Started {
        ticket: Ticket,
        result: Result<Box<Operation>, ApiError>,
    },
    Credentials {
        ticket: Ticket,
        result: Result<Credentials, ApiError>,
    },
    /// One tenant, read for itself by its id.
    Detail {
        id: String,
        result: Result<Box<TenantDetail>, ApiError>,
    },
    /// What a rollback of this tenant would remove.
    Preview {
        id: TenantId,
        result: Result<Box<RollbackPreview>, ApiError>,
    },
    /// What became of the wish to cancel: the operation as it is now.
    Cancelling(Result<Box<Operation>, ApiError>),
    /// The newest operations on all tenants.
    Operations(Result<Vec<Operation>, ApiError>),
    /// A page of the audit trail; `before` as it was asked for.
    Audit {
        ticket: Ticket,
        before: Option<i64>,
        result: Result<Box<AuditResponse>, ApiError>,
    },
    /// How the trail stands.
    Trail(TrailStatus),
    /// How far a verification of the trail is, or what it found.
    Verification {
        ticket: Ticket,
        result: Result<Box<AuditVerification>, ApiError>,
    },
    /// How far an export is.
    Exporting {
        ticket: Ticket,
        progress: ExportProgress,
    },
    Exported {
        ticket: Ticket,
        /// What was written and where, as a sentence; or why it was not.
        result: Result<String, String>,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Quit,
    /// Give the terminal back until the shell resumes us.
    Suspend,
    /// Keys that were typed before the dialog that just opened are not for it.
    DropInput,
    LoadTenants,
    /// By tenant id.
    LoadDetail(String),
    /// The newest events that match; only those before a number, if one is given.
    LoadAudit {
        ticket: Ticket,
        query: Box<AuditFilter>,
        before: Option<i64>,
        pace: Pace,
    },
    /// How the trail stands.
    LoadTrail,
    /// Begin to verify the trail.
    VerifyTrail(Ticket),
    /// See how far that is; by the daemon's id.
    Verification {
        ticket: Ticket,
        id: String,
    },
    /// Write an export to a file of that name.
    Export {
        ticket: Ticket,
        request: Box<AuditExportRequest>,
        path: String,
    },
    /// Give up the export that runs.
    StopExport,
    LoadOperation(OperationId),
    LoadOperations,
    LoadPreview(TenantId),
    Plan {
        ticket: Ticket,
        request: Box<ProvisionRequest>,
    },
    Provision {
        ticket: Ticket,
        request: Box<ProvisionRequest>,
    },
    /// The idempotency key is added by whoever performs it.
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
    /// Attack it with the whole battery.
    Verify {
        ticket: Ticket,
        id: TenantId,
    },
    Cancel(OperationId),
    /// The same again, as a new operation.
    RetryOperation {
        ticket: Ticket,
        id: OperationId,
    },
    /// Send to the terminal's clipboard.
    Copy(String),
}

/// When something is asked of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Now,
    /// After a rest: what comes in floods must not keep the daemon searching.
    Rested,
}
