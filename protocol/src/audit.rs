//! The audit trail, as it is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Who did what, with what outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    /// Position in the chain, from 1, without gaps.
    pub seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// Who the kernel says it was: `ops1 (uid 1003)`; `tenantryd` for what the daemon does of itself.
    pub actor: String,
    /// What was done, for example `provision.intent`, `provision`, `credentials.issue`.
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// `ok`, `failed`, `denied`; absent for an intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// In ms; absent where nothing was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// SHA-256 links to the event before and of this one, as 64 hexadecimal digits.
    pub prev_hash: String,
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditRequest {
    /// Only events about this tenant.
    #[serde(default)]
    pub slug: Option<String>,
    /// Only events older than this `seq`.
    #[serde(default)]
    pub before: Option<i64>,
    /// Rows, 1 to 500; 50 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditResponse {
    /// Newest first.
    pub events: Vec<AuditEvent>,
}
