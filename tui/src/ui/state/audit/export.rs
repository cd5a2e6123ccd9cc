//! The dialog for an export of the trail, and the export that runs.
//!
//! Invariant: the dialog is about the filter that was in force when it was opened. One export runs at a time; it belongs to
//! the console, so that leaving the dialog does not stop it.

use tenantry_protocol::audit::{AuditFilter, ExportFormat};
use time::OffsetDateTime;
use time::macros::format_description;
use tui_input::Input;

use crate::trail;
use crate::ui::ticket::Ticket;

pub(crate) const FORMATS: [ExportFormat; 3] = [ExportFormat::Jsonl, ExportFormat::Csv, ExportFormat::Ocsf];

#[derive(Debug)]
pub(crate) struct ExportScreen {
    /// The filter in readable words.
    pub(crate) words: String,
    pub(crate) query: AuditFilter,
    pub(crate) format: ExportFormat,
    pub(crate) name: Input,
    pub(crate) field: ExportField,
    /// Why the last export failed.
    pub(crate) refusal: Option<String>,
    /// The name that was proposed; it follows the format until another name is typed.
    proposed: String,
    /// The proposed name without its extension.
    stem: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportField {
    Format,
    Name,
}

/// An export that is running.
#[derive(Debug)]
pub(crate) struct Exporting {
    pub(crate) ticket: Ticket,
    pub(crate) name: String,
    pub(crate) progress: Option<ExportProgress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExportProgress {
    pub(crate) events: u64,
    pub(crate) searched_to: i64,
    pub(crate) to_seq: i64,
}

impl ExportScreen {
    pub(crate) fn new(words: String, query: AuditFilter, now: OffsetDateTime) -> Self {
        let date = now.format(format_description!("[year][month][day]")).unwrap_or_default();
        let about = query.slug.as_ref().map(|slug| format!("-{slug}")).unwrap_or_default();
        let mut screen = Self {
            words,
            query,
            format: ExportFormat::Jsonl,
            name: Input::default(),
            field: ExportField::Format,
            refusal: None,
            proposed: String::new(),
            stem: format!("audit{about}-{date}"),
        };
        screen.propose();
        screen
    }

    /// Chooses another format; the name follows it unless it was typed.
    pub(crate) fn choose(&mut self, by: isize) {
        let at = FORMATS.iter().position(|format| *format == self.format).unwrap_or(0);
        let next = (at as isize + by).rem_euclid(FORMATS.len() as isize);
        self.format = FORMATS[next as usize];
        if self.name.value() == self.proposed {
            self.propose();
        }
    }

    fn propose(&mut self) {
        let ending = match self.format {
            ExportFormat::Csv => "csv",
            ExportFormat::Ocsf => "ocsf.jsonl",
            ExportFormat::Jsonl | ExportFormat::Other => "jsonl",
        };
        self.proposed = format!("{}.{ending}", self.stem);
        self.name = Input::new(self.proposed.clone());
    }
}

/// What a format is good for.
pub(crate) const fn meaning(format: ExportFormat) -> (&'static str, &'static str) {
    match format {
        ExportFormat::Jsonl => ("jsonl", "can be verified anywhere: audit verify --file"),
        ExportFormat::Csv => ("csv", "safe to open in a spreadsheet; cannot be verified"),
        ExportFormat::Ocsf => ("ocsf", "for security tools; cannot be verified"),
        ExportFormat::Other => ("?", "unknown to this release"),
    }
}

impl Exporting {
    /// `exporting x.jsonl: 812 events, 12,000 of 48,211 looked at`
    pub(crate) fn progress(&self) -> String {
        match self.progress {
            None => format!("exporting {}", self.name),
            Some(ExportProgress { events, searched_to, to_seq }) => format!(
                "exporting {}: {}, {} of {} looked at",
                self.name,
                crate::format::counted(events, "event"),
                trail::seq(searched_to),
                trail::seq(to_seq)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::testing::now;

    #[test]
    fn the_proposed_name_follows_tenant_and_format_until_another_is_typed() {
        let query = AuditFilter { slug: Some("acme".into()), ..AuditFilter::default() };
        let mut screen = ExportScreen::new("tenant:acme".into(), query, now());
        assert_eq!(screen.name.value(), "audit-acme-20241004.jsonl");
        screen.choose(1);
        assert_eq!(screen.name.value(), "audit-acme-20241004.csv");
        screen.name = Input::new("mine.csv".to_owned());
        screen.choose(-1);
        assert_eq!((screen.format, screen.name.value()), (ExportFormat::Jsonl, "mine.csv"));
    }
}
