//! The result of attacking a tenant's isolation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a battery of probes found, run through a real login as the tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IsolationReport {
    /// Number of the battery's make-up; a report of an older battery proves less.
    pub battery_version: u32,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    pub verdicts: Vec<Verdict>,
    /// The victim's fingerprint was the same before and after.
    pub victim_unchanged: bool,
    pub duration_ms: f64,
}

/// One probe's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Stable name of the probe, for example `read`.
    pub probe: String,
    /// The attack was refused, and in the way that was expected.
    pub held: bool,
    /// SQLSTATEs that count as refused.
    pub expected: Vec<String>,
    /// The SQLSTATE that came; absent if the attack succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// What the server answered.
    pub evidence: String,
}

impl IsolationReport {
    /// All attacks were refused and the victim is as it was.
    pub fn holds(&self) -> bool {
        self.victim_unchanged && self.verdicts.iter().all(|verdict| verdict.held)
    }
}
