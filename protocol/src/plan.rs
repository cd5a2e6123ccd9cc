//! A plan: what an operation will do, before it does anything.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{BlueprintName, BlueprintVersion, Slug, TargetName};

/// What an operation will do: its steps with the SQL (placement names as placeholders), the findings, and the hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// SHA-256, as 64 hexadecimal digits, over everything that matters: steps, blueprint checksum, settings, labels,
    /// target, SQL and the codes of the findings. Never over measurements, random names or secrets.
    pub hash: String,
    pub slug: Slug,
    pub display_name: String,
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    pub target: TargetName,
    pub settings: BTreeMap<String, i64>,
    /// Others route and bill by them. Absent where there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub seed: bool,
    pub steps: Vec<PlanStep>,
    pub findings: Vec<Finding>,
    /// How long the operation may take before it is undone, in ms.
    pub budget_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStep {
    /// Stable name, for example `migrations`.
    pub step: String,
    /// One line for people.
    pub title: String,
    /// Part of the one transaction on the target that makes the tenant appear at once or not at all.
    pub atomic: bool,
    pub sql: Vec<PlanSql>,
}

/// A piece of SQL that a step runs. `{placement}` stands for the tenant's opaque name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSql {
    /// The migration's file name; absent for statements of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    pub text: String,
    /// Each of its statements runs outside a transaction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

/// One thing that preflight, a check of a target or a lint of a blueprint noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub severity: Severity,
    /// Stable name of the rule, for example `transaction_control`; part of the plan's hash.
    pub code: String,
    /// What was found, with numbers, and what to do about it.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in `file`, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl Finding {
    /// A finding that concerns no file.
    pub fn new(severity: Severity, code: &str, message: String) -> Self {
        Self { severity, code: code.to_owned(), message, file: None, line: None }
    }

    /// Checked, and in order.
    pub fn ok(code: &str, message: String) -> Self {
        Self::new(Severity::Ok, code, message)
    }

    /// Worth a look, but nothing is refused because of it.
    pub fn warning(code: &str, message: String) -> Self {
        Self::new(Severity::Warning, code, message)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Checked, and in order.
    Ok,
    /// Worth a look; nothing is refused for it.
    Warning,
    /// The operation is refused until this is corrected.
    Error,
    #[serde(other)]
    Other,
}

impl Severity {
    /// `Ok` if the condition holds, otherwise `Error`.
    pub const fn error_unless(holds: bool) -> Self {
        if holds { Self::Ok } else { Self::Error }
    }
}
