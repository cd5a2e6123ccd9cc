//! Collects all faults of a folder, so that one check shows all of them and not only the first.
//!
//! Invariant: text from a client (paths, keys) is shown without control or bidirectional characters. The number of
//! findings from one folder is limited, and an error is never dropped in favour of a warning. The codes are stable: they
//! are part of a plan's hash.

use tenantry_protocol::plan::{Finding, Severity};

/// A line of a file of the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileLine<'a> {
    pub(super) file: &'a str,
    pub(super) line: u32,
}

/// The number of findings of each severity that are kept; the rest are only counted.
const MOST: usize = 300;

#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    notes: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    pub(super) fn error(&mut self, code: &str, place: FileLine<'_>, message: impl Into<String>) {
        self.push(Severity::Error, code, message.into(), Some(place.file), Some(place.line));
    }

    pub(super) fn warning(&mut self, code: &str, place: FileLine<'_>, message: impl Into<String>) {
        self.push(Severity::Warning, code, message.into(), Some(place.file), Some(place.line));
    }

    /// What is done otherwise than a file says, without a fault of the file.
    pub(super) fn note(&mut self, code: &str, place: FileLine<'_>, message: impl Into<String>) {
        self.push(Severity::Ok, code, message.into(), Some(place.file), Some(place.line));
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
        let kept = match severity {
            Severity::Error => &mut self.errors,
            Severity::Ok => &mut self.notes,
            Severity::Warning | Severity::Other => &mut self.warnings,
        };
        if kept.len() < MOST {
            kept.push(Finding { severity, code: code.to_owned(), message, file: file.map(shown), line });
        } else {
            self.left_out += 1;
        }
    }

    /// Errors first, then warnings and notes, each by file and line.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        let by_place = |a: &Finding, b: &Finding| a.file.cmp(&b.file).then_with(|| a.line.cmp(&b.line));
        self.errors.sort_by(by_place);
        self.warnings.sort_by(by_place);
        self.notes.sort_by(by_place);
        if self.left_out > 0 {
            let message = format!("{} more findings are not shown: fix these first", self.left_out);
            self.warnings.push(Finding {
                severity: Severity::Warning,
                code: "more_findings".to_owned(),
                message,
                file: None,
                line: None,
            });
        }
        self.errors.append(&mut self.warnings);
        self.errors.append(&mut self.notes);
        self.errors
    }
}

/// A client's text made safe for a terminal: escaped, and cut to a length that fits a line.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            // These need no escape outside source code.
            '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
