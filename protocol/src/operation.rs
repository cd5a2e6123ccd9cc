//! Operations: one thing done to a tenant, in steps, with live progress and a final outcome.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::{OperationId, TenantId};
use crate::name::{BlueprintVersion, Slug, TargetName};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    /// Of an upgrade: the versions of the blueprint. Absent for what was begun before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionChange>,
    pub tenant_id: TenantId,
    pub slug: Slug,
    pub target: TargetName,
    pub state: OperationState,
    pub steps: Vec<StepProgress>,
    /// Who asked: `ops1 (uid 1003)`.
    pub actor: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub requested_at: OffsetDateTime,
    /// From request to end, in ms; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// How long it may take before it is undone, in ms.
    pub budget_ms: u64,
}

impl Operation {
    /// Its kind in words, with the versions if it has some: `upgrade 1.0→1.1`.
    pub fn title(&self) -> String {
        let kind = self.kind.name().replace('_', " ");
        self.versions.map_or(kind.clone(), |VersionChange { from, to }| format!("{kind} {from}→{to}"))
    }
}

/// The version that a tenant had, and the one that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionChange {
    pub from: BlueprintVersion,
    pub to: BlueprintVersion,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    Provision,
    Rollback,
    Suspend,
    Resume,
    Update,
    Retire,
    /// Removes what a retirement left, when its grace is over.
    Purge,
    IssueCredentials,
    RotateCredentials,
    FinishRotation,
    /// The whole battery against a tenant's isolation.
    Verify,
    /// The files of a later version of its blueprint.
    Upgrade,
    #[serde(other)]
    Other,
}

impl OperationKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Rollback => "rollback",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Update => "update",
            Self::Retire => "retire",
            Self::Purge => "purge",
            Self::IssueCredentials => "issue_credentials",
            Self::RotateCredentials => "rotate_credentials",
            Self::FinishRotation => "finish_rotation",
            Self::Verify => "verify",
            Self::Upgrade => "upgrade",
            Self::Other => "other",
        }
    }
}

/// `queued → running → succeeded`, or `→ unwinding → rolled_back | needs_attention`; `cancelled` when nothing had begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum OperationState {
    Queued,
    Running,
    Succeeded,
    Unwinding {
        failure: Failure,
    },
    RolledBack {
        failure: Failure,
    },
    NeedsAttention {
        failure: Failure,
        /// What is left, for a person.
        left: String,
        /// The command to run next, ready to be typed.
        next_command: String,
    },
    Cancelled,
    #[serde(other)]
    Other,
}

impl OperationState {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Unwinding { .. } => "unwinding",
            Self::RolledBack { .. } => "rolled_back",
            Self::NeedsAttention { .. } => "needs_attention",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// Whether nothing more happens in this state by itself.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::RolledBack { .. }
                | Self::NeedsAttention { .. }
                | Self::Cancelled
                | Self::Other
        )
    }

    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Unwinding { failure }
            | Self::RolledBack { failure }
            | Self::NeedsAttention { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// Why an operation is being, or was, undone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The step that failed.
    pub step: String,
    /// The migration's file name, if a migration failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in `file`, from 1: of the error itself, or of the beginning of the statement that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Number of the statement in `file`, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What the server, or the step, said.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// For example `V5__comments.sql:12 syntax error at or near "TABEL" (42601)`.
    pub fn summary(&self) -> String {
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line} "),
            (Some(file), None) => format!("{file} "),
            (None, _) => String::new(),
        };
        let code = self.sqlstate.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        format!("{place}{}{code}", self.message)
    }
}

impl Failure {
    /// What it has in common with failures of other tenants: `V5__comments.sql 42601`, or the step.
    pub fn kind(&self) -> String {
        let place = self.file.as_ref().unwrap_or(&self.step);
        match &self.sqlstate {
            Some(code) => format!("{place} {code}"),
            None => place.clone(),
        }
    }

    /// Whether it failed because somebody held a lock, so that it can work at another time.
    pub fn is_lock(&self) -> bool {
        self.sqlstate.as_deref().is_some_and(|code| matches!(code, "55P03" | "40P01"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepProgress {
    /// Stable name, as in the plan.
    pub step: String,
    pub title: String,
    pub status: StepStatus,
    /// Part of the one transaction on the target.
    pub atomic: bool,
    /// How much is done of how much (migrations, probes); absent where there is nothing to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<StepCount>,
    /// How far the step is within what is counted, in words, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepCount {
    pub done: u32,
    pub total: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Waiting,
    Running,
    Done,
    Failed,
    Undone,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OperationsRequest {
    /// Only operations on this tenant.
    #[serde(default)]
    pub slug: Option<String>,
    /// Only those that are not in a final state.
    #[serde(default)]
    pub unfinished: bool,
    /// Rows, 1 to 500; 50 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Only operations older than this one (its id).
    #[serde(default)]
    pub before: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationsResponse {
    /// Newest first.
    pub operations: Vec<Operation>,
    /// Present if the page is shorter than requested because it would not have fit one answer: ask again with `before` at
    /// this operation for older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<OperationId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OperationRequest {
    pub id: String,
}

/// Stops a running operation and undoes what it did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CancelRequest {
    /// The operation's id.
    pub operation: String,
}

/// Repeats the work of an operation that was undone, cancelled or left for a person, as a new operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RetryRequest {
    /// The operation's id.
    pub operation: String,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}
