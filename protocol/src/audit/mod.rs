//! The audit trail, as it is read, verified, exported and pruned.
//!
//! What an event's hash covers, and how signatures are made, is in [`crate::chain`].

mod retention;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use retention::*;

/// Who did what, with what outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEvent {
    /// Position in the chain, from 1, without gaps.
    pub seq: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// The account that the kernel reports: `ops1 (uid 1003)`; `tenantryd` for what the daemon does on its own.
    pub actor: String,
    /// The kernel's number of the actor's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_uid: Option<u32>,
    /// The actor's role at that moment: `viewer`, `operator`, `admin`; absent for the daemon and for strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where the client said that it came from, for example `SSH_CONNECTION=10.1.2.3 …`: a claim, not a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
    /// What was done, for example `provision.intent`, `provision`, `credentials.issue`.
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// `ok`, `failed`, `denied`; absent for an intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// In ms; absent where nothing was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Why it failed, or what exactly was done; absent if there is nothing to say, or if it was redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// SHA-256 of the request, as 64 hexadecimal digits: the same request gives the same digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Facts about this action, for example `grade`, `plan_hash`, `needs`, `key`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// Personal values that a redaction removed: `actor`, `slug`, `detail`, `claimed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// Whether hash and values match this row's bytes; `audit_verify` checks the whole chain.
    #[serde(default = "yes")]
    pub intact: bool,
    /// SHA-256 links of the previous event and of this one, as 64 hexadecimal digits.
    pub prev_hash: String,
    pub hash: String,
}

fn yes() -> bool {
    true
}

/// Selects events; every field that is present must match.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditFilter {
    /// About the tenants that have or had this name.
    #[serde(default)]
    pub slug: Option<String>,
    /// About exactly this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// An account's name (`ops1`) or number (`1003`); `tenantryd` for the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// An action (`provision`), or with a `*` at its end all actions with this beginning (`credentials.*`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `ok`, `failed`, `denied`, or `intent` for those without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// From this time on.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub since: Option<OffsetDateTime>,
    /// Before this time.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub until: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Found in the actor, the tenant's name, the action or the detail, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditRequest {
    #[serde(flatten)]
    pub filter: AuditFilter,
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
    /// Present if the search paused before the page was full: everything from this `seq` on was searched. Ask again with
    /// `before` at this value for older events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<i64>,
    #[serde(default)]
    pub trail: TrailStatus,
}

/// What is known about the whole trail without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TrailStatus {
    /// The newest event; 0 in an empty trail.
    #[serde(default)]
    pub head_seq: i64,
    /// The newest event that a verification by this daemon covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_to: Option<i64>,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub verified_at: Option<OffsetDateTime>,
    /// What the last verification found; absent if it found the trail whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<AuditBreak>,
    /// The newest event whose hash is in the anchor file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored_to: Option<i64>,
    /// What is wrong, and what to do about it. Until it is settled, nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<AuditBreak>,
}

/// Where a trail differs from what it was, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditBreak {
    /// The first event that is affected.
    pub seq: i64,
    pub kind: BreakKind,
    /// A sentence: what was found, and what to do next.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// The event's bytes, or the values beside them, were changed.
    Edited,
    /// The event is missing among others that are there.
    Removed,
    /// Another event is in its place, and this one is elsewhere.
    Reordered,
    /// The trail ends before events that are known to have existed: cut off, or restored from an older copy.
    Cut,
    /// Everything from here on was replaced, with hashes that fit.
    Rewritten,
    /// An event or a signature that this installation never made.
    Forged,
    #[serde(other)]
    Other,
}

impl BreakKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::Reordered => "reordered",
            Self::Cut => "cut",
            Self::Rewritten => "rewritten",
            Self::Forged => "forged",
            Self::Other => "other",
        }
    }
}

/// An event's hash as it was written down elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditAnchor {
    pub seq: i64,
    /// 64 hexadecimal digits.
    pub hash: String,
}

/// Starts a verification of the whole trail, or joins the one that runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerifyRequest {
    /// Anchors from a copy that is kept elsewhere, at most 50,000; the trail is checked against them as well.
    #[serde(default)]
    pub anchors: Vec<AuditAnchor>,
    /// The trail that they belong to, as in the first line of their file; anchors of another trail are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerificationRequest {
    /// The id that `audit_verify` returned.
    pub id: String,
    /// How long to wait for the end, in ms, at most 30,000; with 0 the answer comes at once.
    #[serde(default)]
    pub wait_ms: u64,
}

/// A verification, running or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerification {
    pub id: String,
    /// Events looked at, of `total`.
    pub checked: i64,
    pub total: i64,
    /// Absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<AuditVerdict>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerdict {
    /// Absent if the trail is whole.
    #[serde(default, rename = "break", skip_serializing_if = "Option::is_none")]
    pub broken: Option<AuditBreak>,
    /// The first and the last event that were looked at; the first is above 1 after a pruning.
    pub from_seq: i64,
    pub to_seq: i64,
    /// The hash of the last one, as 64 hexadecimal digits.
    pub hash: String,
    /// Up to where a signature covers the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_to: Option<i64>,
    /// Up to where an anchor covers the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored_to: Option<i64>,
    /// Personal values that were redacted.
    #[serde(default)]
    pub redacted: u64,
    /// Losses that an administrator acknowledged, a sentence each.
    #[serde(default)]
    pub acknowledged: Vec<String>,
    /// What this verdict cannot promise, a sentence each.
    #[serde(default)]
    pub limits: Vec<String>,
    pub duration_ms: f64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// One line of JSON for each event, with what a verification needs: [`crate::chain::export`].
    #[default]
    Jsonl,
    /// Safe to open in a spreadsheet; not verifiable.
    Csv,
    /// One line for each event, in the Open Cybersecurity Schema Framework; not verifiable.
    Ocsf,
    #[serde(other)]
    Other,
}

/// Opens an export: it holds the events that exist now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditExportRequest {
    #[serde(default)]
    pub filter: AuditFilter,
    #[serde(default)]
    pub format: ExportFormat,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditExport {
    pub id: String,
    /// The newest event that it can hold.
    pub to_seq: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditExportReadRequest {
    pub id: String,
}

/// The next part of an export. Parts follow each other without a gap; none is returned twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditExportPart {
    /// At most about 1 MiB.
    pub text: String,
    /// Events written so far.
    pub events: u64,
    /// The event up to which the trail was searched, of `to_seq`.
    pub searched_to: i64,
    pub to_seq: i64,
    /// Whether this was the last part.
    pub is_last: bool,
}

/// Acknowledges a loss: the trail was restored from an older copy on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditAcknowledgeRequest {
    /// The first lost event, as the trouble names it; this proves that the message was read.
    pub seq: i64,
    /// The reason, recorded in the trail.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditKeyRequest {}

/// The key that the trail is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditKey {
    /// The first 16 hexadecimal digits of the public key's SHA-256.
    pub id: String,
    /// SubjectPublicKeyInfo as PEM: what `audit verify --file --key` reads.
    pub public_key: String,
    /// From this event on.
    pub since_seq: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditRotateKeyRequest {}
