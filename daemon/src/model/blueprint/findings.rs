//! Collects what is wrong with a folder, so that one look shows all of it and not only the first.
//!
//! Invariant: whatever a client named (paths, keys) is shown without control or bidirectional characters. The codes
//! given here are stable: they are part of a plan's hash.

use tenantry_protocol::plan::{Finding, Severity};

/// A line of a file of the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: u32,
}

#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn error(&mut self, code: &str, place: Place<'_>, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into(), Some(place.file), Some(place.line));
    }

    pub(super) fn warning(&mut self, code: &str, place: Place<'_>, message: impl Into<String>) {
        self.push(Severity::Warning, code, message.into(), Some(place.file), Some(place.line));
    }

    pub(super) fn file_error(&mut self, code: &str, file: &str, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into(), Some(file), None);
    }

    pub(super) fn file_warning(&mut self, code: &str, file: &str, message: impl Into<String>) {
        self.push(Severity::Warning, code, message.into(), Some(file), None);
    }

    pub(super) fn folder_error(&mut self, code: &str, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into(), None, None);
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &str,
        message: String,
        file: Option<&str>,
        line: Option<u32>,
    ) {
        self.0.push(Finding { severity, code: code.to_owned(), message, file: file.map(shown), line });
    }

    /// Errors first, then by file and line.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.file.cmp(&b.file)).then_with(|| a.line.cmp(&b.line))
        });
        self.0
    }
}

/// A client's text as it may reach a terminal: escaped, and cut to a length that fits a line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            if matches!(c, '\'' | '"') { c.to_string() } else { c.escape_debug().to_string() }
                .chars()
                .collect::<Vec<_>>()
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
