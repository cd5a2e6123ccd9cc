//! What an upgrade of all tenants of a blueprint would do, before it is approved.
//!
//! Invariant: what is approved is the plan on the screen, by its hash, and no other.

use tenantry_protocol::ApiError;
use tenantry_protocol::name::BlueprintName;
use tenantry_protocol::plan::Severity;
use tenantry_protocol::upgrade::rehearsal::RehearsalState;
use tenantry_protocol::upgrade::{UpgradePlan, UpgradeRequest};

use super::isolation::Tone;
use crate::format;
use crate::ui::fit::wrap;
use crate::ui::ticket::Ticket;

#[derive(Debug)]
pub(crate) struct UpgradePlanScreen {
    pub(crate) blueprint: BlueprintName,
    pub(crate) phase: PlanPhase,
    /// The first line on the screen.
    pub(crate) top: usize,
}

#[derive(Debug)]
pub(crate) enum PlanPhase {
    Asked(Ticket),
    Refused(ApiError),
    /// The plan, with the key of the upgrade that may follow; and why the last try to begin it was refused.
    Planned {
        plan: Box<UpgradePlan>,
        key: String,
        refusal: Option<ApiError>,
    },
    /// It is being tried on blank placements.
    Rehearsing {
        ticket: Ticket,
        plan: Box<UpgradePlan>,
        key: String,
    },
    Beginning {
        ticket: Ticket,
        plan: Box<UpgradePlan>,
        key: String,
    },
}

impl UpgradePlanScreen {
    pub(crate) const fn new(blueprint: BlueprintName, ticket: Ticket) -> Self {
        Self { blueprint, phase: PlanPhase::Asked(ticket), top: 0 }
    }

    pub(crate) fn plan(&self) -> Option<&UpgradePlan> {
        match &self.phase {
            PlanPhase::Planned { plan, .. }
            | PlanPhase::Rehearsing { plan, .. }
            | PlanPhase::Beginning { plan, .. } => Some(plan),
            PlanPhase::Asked(_) | PlanPhase::Refused(_) => None,
        }
    }

    /// The plan has tenants and nothing stands in its way.
    pub(crate) fn can_begin(&self) -> bool {
        matches!(&self.phase, PlanPhase::Planned { plan, .. }
            if plan.tenants > 0 && plan.findings.iter().all(|finding| finding.severity != Severity::Error))
    }

    pub(crate) const fn is_planned(&self) -> bool {
        matches!(self.phase, PlanPhase::Planned { .. })
    }

    /// Lines at most `columns` wide.
    pub(crate) fn lines(&self, columns: usize) -> Vec<(Tone, String)> {
        let mut lines = Vec::new();
        let mut say = |tone: Tone, text: &str| {
            lines.extend(wrap(text, columns).into_iter().map(|line| (tone, line)));
        };
        match &self.phase {
            PlanPhase::Asked(_) => say(Tone::Dim, "being planned …"),
            PlanPhase::Refused(error) => say(Tone::Bad, &format!("✗ {}", error.message)),
            PlanPhase::Planned { refusal: Some(error), .. } => {
                say(Tone::Bad, &format!("✗ {}", error.message))
            }
            PlanPhase::Rehearsing { .. } => {
                say(Tone::Dim, "being tried on blank placements; no tenant is touched …")
            }
            PlanPhase::Beginning { .. } => say(Tone::Dim, "asking the daemon …"),
            PlanPhase::Planned { .. } => {}
        }
        let Some(plan) = self.plan() else { return lines };
        let to_go = format::counted(plan.tenants, "tenant");
        say(Tone::Heading, &format!("{} to {}: {to_go} to go", plan.blueprint, plan.version));
        for source in &plan.from {
            let tenants = format::counted(source.tenants, "tenant");
            say(Tone::Plain, &format!("from {} ({tenants}):", source.version));
            source.shown_files().iter().for_each(|file| say(Tone::Plain, &format!("· {file}")));
        }
        let waves: Vec<String> = plan.waves.iter().map(|tenants| format::count(*tenants)).collect();
        let waves = if waves.is_empty() { "none".to_owned() } else { waves.join(", ") };
        say(Tone::Plain, &format!("waves: {waves}"));
        let pace =
            format!("{} of each target at a time, pauses after {} failed", plan.width, plan.stop_after);
        say(Tone::Plain, &pace);
        for finding in &plan.findings {
            let (tone, glyph) = match finding.severity {
                Severity::Ok => (Tone::Good, '✓'),
                Severity::Warning | Severity::Other => (Tone::Warning, '!'),
                Severity::Error => (Tone::Bad, '✗'),
            };
            say(tone, &format!("{glyph} {}", format::finding(finding)));
        }
        for rehearsal in &plan.rehearsals {
            let tone = match rehearsal.state {
                RehearsalState::Passed => Tone::Good,
                RehearsalState::Refused | RehearsalState::Differs => Tone::Bad,
                _ => Tone::Warning,
            };
            for (number, line) in format::rehearsal(rehearsal).iter().enumerate() {
                say(if number == 0 { tone } else { Tone::Plain }, line);
            }
        }
        say(Tone::Dim, &format!("hash {}", plan.hash));
        lines
    }
}

/// All tenants of the blueprint, to its newest version, at the default pace.
pub(crate) fn request(blueprint: &BlueprintName) -> UpgradeRequest {
    UpgradeRequest { blueprint: blueprint.to_string(), ..UpgradeRequest::default() }
}
