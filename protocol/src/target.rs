//! Targets: the databases where tenants live.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TargetName;
use crate::plan::Finding;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TargetsRequest {
    /// Only the target of this name.
    #[serde(default)]
    pub name: Option<String>,
    /// Connect, and read privileges and settings back.
    #[serde(default)]
    pub check: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetsResponse {
    pub targets: Vec<Target>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    pub health: TargetHealth,
    /// Where it is, without credentials: `db1.example:5432/app`, or the socket directory.
    pub address: String,
    /// How many tenants it may hold; absent if there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// What the check found; empty unless it was asked for.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetHealth {
    pub name: TargetName,
    pub reachable: bool,
    /// One round trip, in ms; absent if the target did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not reachable, and what to do; absent if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The server's version as it reports it (`15.20`); absent until it was reached once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// Tenants on it that are neither rolled back nor retired.
    pub tenants: u64,
}
