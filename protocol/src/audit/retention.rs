//! How much of the trail is kept, and for how long: redaction, holds, segments, pruning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Removes the names of a person or a customer from events, which stay in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditRedactRequest {
    /// The name of a removed tenant. Names and free text are removed from all its events.
    #[serde(default)]
    pub slug: Option<String>,
    /// The name of an account. It is removed as the actor of all events.
    #[serde(default)]
    pub actor: Option<String>,
    /// The same name again.
    pub confirm: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRedacted {
    pub events: u64,
    pub values: u64,
}

/// Keeps events from being pruned or redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditHold {
    /// What the matter is called: `[a-z0-9-]`, at most 40 characters.
    pub name: String,
    /// Only events of the tenants of this name; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    pub reason: String,
    pub placed_by: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub placed_at: OffsetDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditHoldRequest {
    pub name: String,
    #[serde(default)]
    pub slug: Option<String>,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditReleaseRequest {
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditSegmentsRequest {}

/// A range of the trail that is kept or pruned as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditSegment {
    pub from_seq: i64,
    /// Inclusive.
    pub to_seq: i64,
    /// Whether it is full and its end is signed.
    pub is_sealed: bool,
    pub is_pruned: bool,
    /// The time of its newest event; absent if the segment is empty or was pruned.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub newest_at: Option<OffsetDateTime>,
    /// The holds that keep it.
    #[serde(default)]
    pub held_by: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditSegments {
    pub segments: Vec<AuditSegment>,
    pub holds: Vec<AuditHold>,
}

/// Drops whole segments whose events are all older than `before`; their last checkpoint stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPruneRequest {
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub before: OffsetDateTime,
    /// Only say what would be dropped.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditPruned {
    /// What was dropped, or would be.
    pub segments: Vec<AuditSegment>,
    pub events: u64,
    /// What was not dropped, and why, one sentence each.
    pub kept: Vec<String>,
}
