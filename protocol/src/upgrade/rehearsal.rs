//! What the rehearsal of an upgrade has seen: it is tried on a blank placement before any tenant is touched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{BlueprintVersion, TargetName};

/// The most relations, and the most differences, that the report of a rehearsal names.
pub const MOST_RELATIONS: usize = 200;

/// One rehearsal: from an earlier version, on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    pub target: TargetName,
    pub from: BlueprintVersion,
    pub state: RehearsalState,
    /// Why it was refused, or why nobody can tell, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The strongest lock that the files take on each relation that was there before, in the order of the names; at most
    /// [`MOST_RELATIONS`]. Of shared tables, nothing is learned of the locks, and neither of files that run outside of transactions.
    pub locks: Vec<RehearsedLock>,
    /// The relations that are written anew, as `table orders`; at most [`MOST_RELATIONS`].
    pub rewritten: Vec<String>,
    /// What the upgraded placement has otherwise than a new one, as `~ column orders.total`; at most [`MOST_RELATIONS`].
    pub differences: Vec<String>,
    /// The number of locks, relations and differences that are not named.
    pub left_out: u64,
    /// How long the files took on a placement without the rows of a customer, in ms: the least that a tenant takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The fingerprint that a tenant has after the upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsedLock {
    /// Without its schema, as it was called before.
    pub relation: String,
    /// `table`, `view`, …
    pub kind: String,
    /// As `LOCK TABLE` has it: `ACCESS EXCLUSIVE`.
    pub mode: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalState {
    /// The upgraded placement is as a new one.
    Passed,
    /// It went through, and the placement is other than a new one.
    Differs,
    /// A file cannot be applied, or a new placement of the version cannot be made.
    Refused,
    /// The target does not answer.
    Unknown,
    #[serde(other)]
    Other,
}

impl RehearsalState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Other => "other",
        }
    }
}
