//! Drift: how a tenant's objects differ from what its version of the blueprint makes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::blueprint::Tenancy;
use crate::name::{BlueprintName, BlueprintVersion, Slug, TargetName};

/// The most differences in one answer; the others are only counted.
pub const MOST_DIFFERENCES: usize = 500;
/// The longest definition in an answer, in characters.
pub const LONGEST_DEFINITION: usize = 4_000;

/// Asks how a tenant's objects differ from those of a new tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DriftRequest {
    pub slug: String,
}

/// How a tenant's objects compare with those of a new tenant of the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    pub slug: Slug,
    pub state: DriftState,
    /// Why the state is unknown, in a sentence; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By kind and name. `$tenant` stands for the tenant's placement.
    pub differences: Vec<DriftDifference>,
    /// More differences, of which only the number is told.
    pub left_out: u64,
    /// How many objects were compared.
    pub objects: u64,
    /// What the tenant was compared with; absent if there is nothing to compare it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<DriftBaseline>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftState {
    /// The tenant has what its version makes, and nothing else.
    InSync,
    Drifted,
    /// It could not be compared.
    Unknown,
    #[serde(other)]
    Other,
}

/// The objects of a new tenant, which were read once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftBaseline {
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    pub tenancy: Tenancy,
    /// The server's major version, such as 15. Servers write definitions differently.
    pub server_major: u32,
    /// SHA-256 over all objects, in hexadecimal.
    pub digest: String,
    /// The target where a blank placement was built and rolled back, to read them.
    pub target: TargetName,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub made_at: OffsetDateTime,
}

/// One object that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftDifference {
    pub change: DriftChange,
    /// The word that SQL has for it: `table`, `column`, `function`, …
    pub kind: String,
    /// Without the schema: `orders.total`.
    pub name: String,
    /// What it should be, or the part of it that differs; absent for an extra object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What it is; absent for a missing object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// SQL that makes it what it should be, for a superuser or the owner, with the tenant's real names. Read it before you run it: what
    /// it drops is gone. Absent if it cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
    /// Why there is no repair, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_repair: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftChange {
    Missing,
    Extra,
    Changed,
    #[serde(other)]
    Other,
}

impl DriftChange {
    /// The sign before it in a list.
    pub const fn sign(self) -> char {
        match self {
            Self::Missing => '-',
            Self::Extra => '+',
            Self::Changed => '~',
            Self::Other => '?',
        }
    }
}

impl DriftDifference {
    /// `~ column orders.total`
    pub fn headline(&self) -> String {
        format!("{} {} {}", self.change.sign(), self.kind, self.name)
    }
}
