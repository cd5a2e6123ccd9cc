//! What is asked of an upgrade or a downgrade, and what it would do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rehearsal::Rehearsal;
use crate::name::{BlueprintName, BlueprintVersion};
use crate::plan::Finding;

/// Which way tenants go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// To a later version.
    #[default]
    Forward,
    /// To an earlier one.
    Back,
}

impl Course {
    pub const fn is_forward(&self) -> bool {
        matches!(self, Self::Forward)
    }

    /// What tenants get: an `upgrade`, or a `downgrade`.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Forward => "upgrade",
            Self::Back => "downgrade",
        }
    }
}

/// Brings all tenants of a blueprint to one version, in waves, while they serve.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeRequest {
    pub blueprint: String,
    /// Defaults to the newest version.
    #[serde(default)]
    pub version: Option<String>,
    /// Only tenants on these targets; on all if empty.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Only these tenants, by slug; all if empty.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Only tenants that have all of these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many tenants go first, alone; 1 if absent.
    #[serde(default)]
    pub pilot: Option<u32>,
    /// The share of the others in each wave, in percent; 10 if absent.
    #[serde(default)]
    pub wave_percent: Option<u32>,
    /// How many tenants of a target at a time; 4 if absent, and never more than half of the target's places.
    #[serde(default)]
    pub width: Option<u32>,
    /// How many failures pause it: a number (`3`) or a percentage of all tenants (`2%`); 3 if absent.
    #[serde(default)]
    pub stop_after: Option<String>,
    /// Pauses after each wave.
    #[serde(default)]
    pub manual: bool,
    /// Upgrades tenants that are known to have drifted, too; they are skipped otherwise.
    #[serde(default)]
    pub accept_drift: bool,
    /// `back` where a downgrade is planned or rehearsed; `downgrade` begins one.
    #[serde(default, skip_serializing_if = "Course::is_forward")]
    pub course: Course,
    /// The hash of the plan that was approved: any other is refused.
    #[serde(default)]
    pub approve: Option<String>,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Brings tenants of later versions back to an earlier one, with what takes the later files back. It takes what they hold with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DowngradeRequest {
    /// Its version is needed.
    pub upgrade: UpgradeRequest,
    /// The blueprint's name, again.
    pub confirm: String,
}

/// What an upgrade would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradePlan {
    /// SHA-256, as 64 hexadecimal digits, over the version, the files that each earlier version lacks, the selection, the
    /// waves and the codes of the findings; never over the number of tenants.
    pub hash: String,
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    #[serde(default, skip_serializing_if = "Course::is_forward")]
    pub course: Course,
    /// The versions that tenants have now, the earliest first.
    pub from: Vec<UpgradeSource>,
    /// The tenants that would get the version.
    pub tenants: u64,
    /// The number of tenants in each wave, at most 101.
    pub waves: Vec<u64>,
    pub width: u32,
    pub stop_after: String,
    pub findings: Vec<Finding>,
    /// Only where `upgrade_rehearse` answers; no part of the hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rehearsals: Vec<Rehearsal>,
}

/// An earlier version, and what its tenants lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeSource {
    pub version: BlueprintVersion,
    pub tenants: u64,
    /// The files that run, in their order.
    pub files: Vec<String>,
    /// Those of the files that run once as each tenant, since they change rows of shared tables.
    #[serde(default)]
    pub per_tenant: Vec<String>,
}

impl UpgradeSource {
    /// The files as they are shown, each with how it runs if that is not once.
    pub fn shown_files(&self) -> Vec<String> {
        let shown = |file: &String| match self.per_tenant.contains(file) {
            true => format!("{file} (once per tenant)"),
            false => file.clone(),
        };
        self.files.iter().map(shown).collect()
    }
}
