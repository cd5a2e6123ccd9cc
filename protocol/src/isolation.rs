//! The result of attacking a tenant's isolation: verdicts, what the catalog shows in addition, and what no tenancy can
//! close.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::blueprint::Tenancy;
use crate::brief;

/// The number of findings of one lint that are kept; the others are only counted.
pub const MOST_OF_A_LINT: usize = 20;
/// The number of findings that a report keeps, and of gifts.
const MOST_FINDINGS: usize = 200;
const MOST_GIFTS: usize = 20;
/// The longest evidence, in characters.
pub const LONGEST_EVIDENCE: usize = 400;

/// What a battery of probes found, run through a real login as the tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IsolationReport {
    /// Version of the battery; a report of an older battery proves less.
    pub battery_version: u32,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
    /// How much was tried.
    #[serde(default)]
    pub depth: Depth,
    /// The tenant's tenancy, which decides what there is to attack and what cannot be closed.
    #[serde(default)]
    pub tenancy: Tenancy,
    /// The target's version, as it reports it: `15.20`. Empty in older reports.
    #[serde(default)]
    pub server_version: String,
    pub verdicts: Vec<Verdict>,
    /// Catalog lints that were run.
    #[serde(default)]
    pub lints: u32,
    /// What they found; each is a hole, whether or not an attack has used it.
    #[serde(default)]
    pub findings: Vec<LintFinding>,
    /// More findings, of which only the number is kept. No more than 1,000 of a lint are counted.
    #[serde(default, skip_serializing_if = "is_none_left_out")]
    pub left_out: u32,
    /// Rights that other tenants granted to this one's roles. They are findings of those tenants, not of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gifts: Vec<String>,
    /// What tenants of this tenancy can still see or do to each other, held or not.
    #[serde(default)]
    pub residual: Vec<ResidualChannel>,
    /// The victim's fingerprint was the same before and after.
    pub victim_unchanged: bool,
    pub duration_ms: f64,
}

fn is_none_left_out(left_out: &u32) -> bool {
    *left_out == 0
}

/// How much of the battery was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// The part that each provisioning runs.
    #[default]
    Core,
    /// All of it, and the catalog lints.
    Full,
    #[serde(other)]
    Other,
}

impl Depth {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Full => "full",
            Self::Other => "other",
        }
    }
}

/// One probe's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Stable name of the probe, for example `read`.
    pub probe: String,
    /// What a successful attack would mean. Empty in older reports.
    #[serde(default)]
    pub meaning: String,
    /// The attack was refused in the expected way.
    pub held: bool,
    /// SQLSTATEs that count as refused; empty for an attack that may run and must see nothing.
    pub expected: Vec<String>,
    /// The SQLSTATE that the server returned; absent if the attack succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// What the server answered.
    pub evidence: String,
    /// What an administrator would run to close the hole, if the daemon's role may not. Such a hole is open and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Something in the catalog that should not be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LintFinding {
    /// Stable name of the lint, for example `foreign_grants`.
    pub lint: String,
    /// The objects and roles that it is about.
    pub evidence: String,
}

/// What a tenancy leaves open by its nature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResidualChannel {
    /// Stable name, for example `catalog_names`.
    pub name: String,
    pub meaning: String,
}

/// How well a tenant is isolated, in one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Grade {
    /// Every attack was refused, and the catalog shows nothing wrong.
    A,
    /// Something is open that an administrator of the server would have to close.
    B,
    /// An attack succeeded, or the catalog shows a hole.
    F,
    #[serde(other)]
    Other,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::F => "F",
            Self::Other => "?",
        })
    }
}

/// A tenant's newest verdict, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IsolationBadge {
    pub grade: Grade,
    pub depth: Depth,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: OffsetDateTime,
}

/// Asks for the whole battery against an existing tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct VerifyIsolationRequest {
    pub slug: String,
    /// The same key gives the same operation.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Verdict {
    /// Whether the attack succeeded, and only an administrator can close the hole.
    pub const fn is_open(&self) -> bool {
        !self.held && self.remedy.is_some()
    }

    /// Whether the attack succeeded although the daemon should have prevented it.
    pub const fn is_broken(&self) -> bool {
        !self.held && self.remedy.is_none()
    }
}

impl IsolationReport {
    /// Whether all attacks were refused except those that only an administrator can prevent, the catalog shows nothing
    /// wrong, and the victim is unchanged.
    pub fn holds(&self) -> bool {
        self.victim_unchanged && self.found() == 0 && !self.verdicts.iter().any(Verdict::is_broken)
    }

    /// The number of findings of the lints, including those that were left out.
    pub fn found(&self) -> u64 {
        self.findings.len() as u64 + u64::from(self.left_out)
    }

    /// The same report, cut to the limits of what is stored and shown.
    pub fn bounded(mut self) -> Self {
        let more = self.findings.len().saturating_sub(MOST_FINDINGS);
        self.findings.truncate(MOST_FINDINGS);
        self.left_out = self.left_out.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        self.gifts.truncate(MOST_GIFTS);
        let texts = self.findings.iter_mut().map(|finding| &mut finding.evidence);
        let texts = texts.chain(self.verdicts.iter_mut().map(|verdict| &mut verdict.evidence));
        for text in texts.chain(&mut self.gifts) {
            *text = brief::cut(text, LONGEST_EVIDENCE);
        }
        self
    }

    pub fn grade(&self) -> Grade {
        if !self.holds() {
            Grade::F
        } else if self.verdicts.iter().any(Verdict::is_open) {
            Grade::B
        } else {
            Grade::A
        }
    }

    /// All problems of the isolation, one line each; empty if it holds.
    pub fn problems(&self) -> Vec<String> {
        let broken = self.verdicts.iter().filter(|verdict| verdict.is_broken());
        let mut problems: Vec<String> =
            broken.map(|verdict| format!("probe {}: {}", verdict.probe, verdict.evidence)).collect();
        problems.extend(
            self.findings.iter().map(|finding| format!("lint {}: {}", finding.lint, finding.evidence)),
        );
        if self.left_out > 0 {
            problems.push(format!("{} more findings of lints, which are not kept", self.left_out));
        }
        if !self.victim_unchanged {
            problems.push("the victim changed".to_owned());
        }
        problems
    }

    /// The problems in one line, cut to the length of a record.
    pub fn account(&self) -> String {
        brief::join(&self.problems(), "; ", brief::LONGEST_ACCOUNT)
    }

    /// The number of attacks that were refused as expected.
    pub fn held(&self) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.held).count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn flooded() -> IsolationReport {
        let finding = LintFinding { lint: "foreign_grants".to_owned(), evidence: "x".repeat(10_000) };
        IsolationReport {
            battery_version: 4,
            at: OffsetDateTime::UNIX_EPOCH,
            depth: Depth::Full,
            tenancy: Tenancy::Schema,
            server_version: String::new(),
            verdicts: Vec::new(),
            lints: 12,
            findings: vec![finding; 5_000],
            left_out: 7,
            gifts: vec!["y".repeat(10_000); 100],
            residual: Vec::new(),
            victim_unchanged: true,
            duration_ms: 1.0,
        }
    }

    #[test]
    fn a_report_is_bounded_in_rows_and_bytes_and_says_what_it_leaves_out() {
        let report = flooded().bounded();
        assert_eq!((report.findings.len(), report.left_out, report.found()), (200, 4_807, 5_007));
        assert!(serde_json::to_vec(&report).unwrap().len() < 128 * 1024);
        assert!(report.account().len() < 5_000 && report.account().contains("more"), "{}", report.account());
    }

    #[test]
    fn findings_that_are_only_counted_are_findings() {
        let report = IsolationReport { findings: Vec::new(), left_out: 1, ..flooded() };
        assert_eq!(report.grade(), Grade::F);
        assert_eq!(IsolationReport { left_out: 0, ..report }.grade(), Grade::A);
    }
}
