//! Reports about the isolation of tenants.

use serde::{Deserialize, Serialize};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport, LintFinding, ResidualChannel, Verdict};
use time::OffsetDateTime;

use super::{read_each, write_each};

/// `isolation_report.report`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredReport(#[serde(with = "ReportShape")] pub IsolationReport);

#[derive(Serialize, Deserialize)]
#[serde(remote = "IsolationReport")]
struct ReportShape {
    battery_version: u32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(default, with = "DepthShape")]
    depth: Depth,
    #[serde(default, with = "TenancyShape")]
    tenancy: Tenancy,
    #[serde(default)]
    server_version: String,
    #[serde(
        serialize_with = "write_each::<StoredVerdict, _, _>",
        deserialize_with = "read_each::<StoredVerdict, _, _>"
    )]
    verdicts: Vec<Verdict>,
    #[serde(default)]
    lints: u32,
    #[serde(
        default,
        serialize_with = "write_each::<StoredFinding, _, _>",
        deserialize_with = "read_each::<StoredFinding, _, _>"
    )]
    findings: Vec<LintFinding>,
    #[serde(default, skip_serializing_if = "is_none_left_out")]
    left_out: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gifts: Vec<String>,
    #[serde(
        default,
        serialize_with = "write_each::<StoredChannel, _, _>",
        deserialize_with = "read_each::<StoredChannel, _, _>"
    )]
    residual: Vec<ResidualChannel>,
    victim_unchanged: bool,
    duration_ms: f64,
}

fn is_none_left_out(left_out: &u32) -> bool {
    *left_out == 0
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Depth", rename_all = "snake_case")]
enum DepthShape {
    Core,
    Full,
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Tenancy", rename_all = "snake_case")]
enum TenancyShape {
    Schema,
    Shared,
    Database,
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
struct StoredVerdict(#[serde(with = "VerdictShape")] Verdict);

#[derive(Serialize, Deserialize)]
#[serde(remote = "Verdict")]
struct VerdictShape {
    probe: String,
    #[serde(default)]
    meaning: String,
    held: bool,
    expected: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    evidence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredFinding(#[serde(with = "FindingShape")] LintFinding);

#[derive(Serialize, Deserialize)]
#[serde(remote = "LintFinding")]
struct FindingShape {
    lint: String,
    evidence: String,
}

#[derive(Serialize, Deserialize)]
struct StoredChannel(#[serde(with = "ChannelShape")] ResidualChannel);

#[derive(Serialize, Deserialize)]
#[serde(remote = "ResidualChannel")]
struct ChannelShape {
    name: String,
    meaning: String,
}

impl From<Verdict> for StoredVerdict {
    fn from(verdict: Verdict) -> Self {
        Self(verdict)
    }
}

impl From<StoredVerdict> for Verdict {
    fn from(StoredVerdict(verdict): StoredVerdict) -> Self {
        verdict
    }
}

impl From<LintFinding> for StoredFinding {
    fn from(finding: LintFinding) -> Self {
        Self(finding)
    }
}

impl From<StoredFinding> for LintFinding {
    fn from(StoredFinding(finding): StoredFinding) -> Self {
        finding
    }
}

impl From<ResidualChannel> for StoredChannel {
    fn from(channel: ResidualChannel) -> Self {
        Self(channel)
    }
}

impl From<StoredChannel> for ResidualChannel {
    fn from(StoredChannel(channel): StoredChannel) -> Self {
        channel
    }
}
