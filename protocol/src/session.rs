//! The first call of a connection, and the daemon's health.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::audit::TrailStatus;
use crate::target::TargetHealth;

/// Opens a connection; every other call before it is answered with `precondition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HelloRequest {
    pub protocol_version: u32,
    pub client: ClientInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientInfo {
    /// The program, for the log: `tenantry`, `deploy-script`.
    pub name: String,
    pub version: String,
    /// What the client says of its origin (`SSH_CONNECTION`, `SUDO_USER`, `tty`). Recorded as claimed, never trusted.
    #[serde(default)]
    pub claimed: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HelloResponse {
    pub protocol_version: u32,
    pub server_version: String,
    /// What the configuration calls this installation, for example `PRODUCTION`; empty if it says nothing.
    pub label: String,
    /// Who the kernel says the caller is: `ops1 (uid 1003)`.
    pub actor: String,
    pub role: Role,
    pub mode: DaemonMode,
}

/// What a caller may do; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Admin,
    /// A role that this build does not know; it is shown, and grants nothing.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DaemonMode {
    /// A private cluster that the daemon made and keeps.
    Embedded,
    /// A private cluster that is removed when the daemon stops.
    Ephemeral,
    /// Servers named by the configuration.
    Configured,
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HealthRequest {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub daemon: DaemonHealth,
    pub control: ControlHealth,
    pub targets: Vec<TargetHealth>,
    /// Number of tenants in each state, by the state's name.
    pub tenants: BTreeMap<String, u64>,
    pub operations_running: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonHealth {
    pub version: String,
    pub pid: u32,
    pub mode: DaemonMode,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: OffsetDateTime,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ControlHealth {
    pub reachable: bool,
    /// One round trip to the control database, in ms; absent if it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not reachable, and what to do; absent if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The fence: the daemon that holds the highest epoch is the only one that may write. 0 if this daemon never held it.
    pub epoch: i64,
    /// The daemon that holds the fence in this one's place (`pid 4711 on db1`): this one only reads, and takes over when
    /// the other's lease lapses. Absent where this daemon holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_by_for: Option<String>,
    /// `seq` of the newest audit event.
    pub audit_seq: i64,
    /// The state of the audit trail; absent from a daemon that is older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<TrailStatus>,
}
