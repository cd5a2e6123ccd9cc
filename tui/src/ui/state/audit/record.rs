//! One whole record: an event of the trail, or what a verification of it found.
//!
//! Frozen when it is opened: what arrives later does not change it. Its lines are wrapped to a width, so that they can be
//! scrolled.

use tenantry_protocol::audit::{AuditEvent, AuditVerdict};

use crate::trail;
use crate::ui::fit::{cell, wrap};

/// Columns for the names.
const NAMES: usize = 11;

#[derive(Debug)]
pub(crate) struct RecordScreen {
    pub(crate) record: Record,
    /// The first line on the screen.
    pub(crate) top: usize,
}

#[derive(Debug)]
pub(crate) enum Record {
    Event(AuditEvent),
    Verdict(AuditVerdict),
}

impl RecordScreen {
    pub(crate) const fn event(event: AuditEvent) -> Self {
        Self { record: Record::Event(event), top: 0 }
    }

    pub(crate) const fn verdict(verdict: AuditVerdict) -> Self {
        Self { record: Record::Verdict(verdict), top: 0 }
    }

    /// Names and texts; a name stands only beside the first line of its text.
    pub(crate) fn lines(&self, columns: usize) -> Vec<(String, String)> {
        match &self.record {
            Record::Event(event) => trail::facts(event)
                .iter()
                .flat_map(|(name, value)| {
                    let parts = wrap(value, columns.saturating_sub(NAMES)).into_iter().enumerate();
                    parts.map(|(at, part)| (cell(if at == 0 { name } else { "" }, NAMES), part))
                })
                .collect(),
            Record::Verdict(verdict) => trail::verdict(verdict)
                .iter()
                .flat_map(|line| {
                    let indent = line.len() - line.trim_start().len();
                    let parts = wrap(line, columns.saturating_sub(indent));
                    parts.into_iter().map(move |part| (" ".repeat(indent), part))
                })
                .collect(),
        }
    }

    /// The whole record, to be copied.
    pub(crate) fn text(&self) -> String {
        match &self.record {
            Record::Event(event) => {
                let facts = trail::facts(event).into_iter().map(|(name, value)| format!("{name}: {value}"));
                facts.collect::<Vec<_>>().join("\n")
            }
            Record::Verdict(verdict) => trail::verdict(verdict).join("\n"),
        }
    }
}
