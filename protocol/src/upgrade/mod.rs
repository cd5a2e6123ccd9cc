//! Upgrades of many tenants: what is asked, how far it is, and what became of each tenant.

mod plan;
pub mod rehearsal;

pub use plan::{Course, DowngradeRequest, UpgradePlan, UpgradeRequest, UpgradeSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::{OperationId, TenantId, UpgradeId};
use crate::name::{BlueprintName, BlueprintVersion, Slug, TargetName};

/// An upgrade as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgrade {
    pub id: UpgradeId,
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    #[serde(default, skip_serializing_if = "Course::is_forward")]
    pub course: Course,
    pub state: UpgradeState,
    /// The wave whose tenants begin, from 0; the pilot is wave 0.
    pub wave: u32,
    /// The number of waves.
    pub waves: u32,
    pub counts: UnitCounts,
    pub width: u32,
    pub stop_after: String,
    pub manual: bool,
    /// Who asked: `ops1 (uid 1003)`.
    pub actor: String,
    pub plan_hash: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub requested_at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ended_at: Option<OffsetDateTime>,
}

impl Upgrade {
    /// What its tenants get: `projects 1.1`, `projects back to 1.0`.
    pub fn destination(&self) -> String {
        let back = if self.course == Course::Back { "back to " } else { "" };
        format!("{} {back}{}", self.blueprint, self.version)
    }
}

/// `rehearsing` where there are tenants to upgrade, `running ⇄ paused`, then `succeeded`, `partial` or `cancelled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum UpgradeState {
    /// It is tried on blank placements, and no tenant has begun.
    Rehearsing,
    Running,
    Paused {
        by: PauseCause,
        /// In a sentence.
        reason: String,
    },
    /// All tenants have the version.
    Succeeded,
    /// Some tenants do not have the version.
    Partial,
    Cancelled,
    #[serde(other)]
    Other,
}

/// Who or what paused an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseCause {
    Operator,
    /// The version did not go through on a blank placement, or did not lead to what a new tenant has.
    Rehearsal,
    /// The pilot failed.
    Pilot,
    /// A wave is done, and the upgrade was asked to wait after each.
    Wave,
    /// More tenants failed than were allowed.
    Failures,
    /// A target cannot be reached.
    Target,
    #[serde(other)]
    Other,
}

impl UpgradeState {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rehearsing => "rehearsing",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// Whether nothing more happens in this state.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Rehearsing | Self::Running | Self::Paused { .. })
    }
}

impl PauseCause {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Rehearsal => "rehearsal",
            Self::Pilot => "pilot",
            Self::Wave => "wave",
            Self::Failures => "failures",
            Self::Target => "target",
            Self::Other => "other",
        }
    }
}

/// The number of tenants in each state of [`UnitState`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UnitCounts {
    pub pending: u64,
    pub running: u64,
    pub done: u64,
    pub current: u64,
    pub skipped: u64,
    pub failed: u64,
    pub partly: u64,
}

impl UnitCounts {
    pub const fn all(&self) -> u64 {
        self.pending + self.running + self.ended()
    }

    /// The number of tenants to which nothing more is done.
    pub const fn ended(&self) -> u64 {
        self.done + self.current + self.skipped + self.failed + self.partly
    }

    /// The number of tenants that an operator has to look at.
    pub const fn bad(&self) -> u64 {
        self.skipped + self.failed + self.partly
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    Pending,
    Running,
    Done,
    /// It had the version already.
    Current,
    /// Its state does not allow an upgrade, for example because it is being retired.
    Skipped,
    /// Nothing of it was changed.
    Failed,
    /// It serves, and has some of the files.
    Partly,
    #[serde(other)]
    Other,
}

impl UnitState {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Done, Self::Current, Self::Skipped, Self::Failed, Self::Partly];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Current => "current",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Partly => "partly",
            Self::Other => "other",
        }
    }

    /// The state of this name; [`Self::Other`] if there is none.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.name() == name).unwrap_or(Self::Other)
    }
}

/// A tenant in an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeUnit {
    pub tenant_id: TenantId,
    pub slug: Slug,
    pub target: TargetName,
    pub wave: u32,
    pub state: UnitState,
    pub attempts: u32,
    /// The newest operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<OperationId>,
    /// What its failure has in common with others: `V5__index.sql 55P03`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_key: Option<String>,
    /// Why it failed, was skipped, or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub ended_at: Option<OffsetDateTime>,
}

/// The answer to the start of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeStarted {
    pub upgrade: Upgrade,
    /// The same request, with the same key, had started it before.
    pub replayed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpgradesRequest {
    /// At most this many, the newest first; 1 to 200, 50 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradesResponse {
    pub upgrades: Vec<Upgrade>,
}

/// Which upgrade: to look at, to pause, to resume, to cancel, or to try its failures again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeChangeRequest {
    /// Its id; the newest one if absent.
    #[serde(default)]
    pub upgrade: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeStatus {
    pub upgrade: Upgrade,
    /// The failures by what they have in common, the most frequent first; at most 20.
    pub failures: Vec<FailureGroup>,
}

/// Tenants that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureGroup {
    /// `V5__index.sql 55P03`.
    pub key: String,
    pub tenants: u64,
    /// One of them.
    pub example: Slug,
    /// What happened to that one.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeUnitsRequest {
    /// Its id; the newest one if absent.
    #[serde(default)]
    pub upgrade: Option<String>,
    /// Only tenants in these states; in all if empty.
    #[serde(default)]
    pub states: Vec<String>,
    /// 1 to 1,000; 200 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeUnitsResponse {
    pub units: Vec<UpgradeUnit>,
    /// Where the next page begins; absent after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
