//! How far an operation's steps are.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tenantry_protocol::operation::{StepCount, StepProgress, StepStatus};

/// An element of `operation.steps`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredStep(#[serde(with = "StepShape")] pub StepProgress);

#[derive(Serialize, Deserialize)]
#[serde(remote = "StepProgress")]
struct StepShape {
    step: String,
    title: String,
    #[serde(with = "StatusShape")]
    status: StepStatus,
    atomic: bool,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_count",
        deserialize_with = "read_count"
    )]
    count: Option<StepCount>,
    /// Of use only while the step runs.
    #[serde(skip)]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StepStatus", rename_all = "snake_case")]
enum StatusShape {
    Waiting,
    Running,
    Done,
    Failed,
    Undone,
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StepCount")]
struct CountShape {
    done: u32,
    total: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredCount(#[serde(with = "CountShape")] StepCount);

fn write_count<S: Serializer>(count: &Option<StepCount>, serializer: S) -> Result<S::Ok, S::Error> {
    count.map(StoredCount).serialize(serializer)
}

fn read_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StepCount>, D::Error> {
    let stored = Option::<StoredCount>::deserialize(deserializer)?;
    Ok(stored.map(|StoredCount(count)| count))
}

impl StoredStep {
    pub fn all(steps: &[StepProgress]) -> Vec<Self> {
        steps.iter().cloned().map(Self).collect()
    }
}
