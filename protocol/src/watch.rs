//! Following events: a long poll over the daemon's ring of recent events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::id::OperationId;
use crate::name::{BlueprintName, BlueprintVersion};
use crate::operation::Operation;
use crate::tenant::Tenant;
use crate::upgrade::Upgrade;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WatchRequest {
    /// `cursor` of the previous answer; if absent, only events from now on.
    #[serde(default)]
    pub cursor: Option<u64>,
    /// Only events of this operation (its id).
    #[serde(default)]
    pub operation: Option<String>,
    /// How long to wait for an event, in ms; at most 30,000. With 0 the answer comes at once.
    #[serde(default)]
    pub wait_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchResponse {
    /// The cursor for the next request. It never goes back, not even across a restart of the daemon.
    pub cursor: u64,
    pub events: Vec<Event>,
    /// Events between the request's cursor and the first one here are lost: read the state again.
    pub resync: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    pub cursor: u64,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    pub body: EventBody,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// An operation began, moved to another step or state, or ended: the whole of it as it is now.
    Operation { operation: Box<Operation> },
    /// A line for the log pane: `V6__files.sql applied in 11 ms`.
    Log { operation_id: OperationId, line: String },
    /// A tenant appeared or changed: the whole of it as it is now.
    Tenant { tenant: Box<Tenant> },
    /// An upgrade of many tenants began, went on or ended: the whole of it as it is now; at most 4 times a second.
    Upgrade { upgrade: Box<Upgrade> },
    /// A version of a blueprint was added.
    Blueprint { name: BlueprintName, version: BlueprintVersion },
    /// The audit trail grew up to this `seq`.
    Audit { seq: i64 },
    #[serde(other)]
    Other,
}
