//! Collects all faults of a folder, so that one check shows all of them and not only the first.
//!
//! One cause is one finding, however many places it has. Invariant: text from a client (paths, keys) is shown without control or bidirectional characters. The number of
//! findings from one folder is limited, and an error is never dropped in favour of a warning. The codes are stable: they
//! are part of a plan's hash.

use std::collections::{BTreeSet, HashMap};

use tenantry_protocol::plan::{Finding, Severity};

/// A line of a file of the folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileLine<'a> {
    pub(super) file: &'a str,
    pub(super) line: u32,
}

/// The number of findings of each severity that are kept; the rest are only counted.
const MOST: usize = 300;

/// As many further places of one cause as are helpful; the rest are counted.
const PLACES_SHOWN: usize = 5;
/// Bytes of these places in a message.
const ROOM_FOR_PLACES: usize = 400;

#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Causes,
    warnings: Causes,
    notes: Causes,
    left_out: usize,
}

/// What was found, each cause once: a finding with the same code and the same words is another place of it.
#[derive(Debug, Default)]
struct Causes {
    found: Vec<(Finding, CausePlaces)>,
    known: HashMap<(String, String), usize>,
}

/// Where a cause was found: the first places, and how many there are in all.
#[derive(Debug, Default)]
struct CausePlaces {
    first: BTreeSet<FoundAt>,
    all: usize,
}

/// A file and a line of it, or all of the file.
type FoundAt = (Option<String>, Option<u32>);

impl CausePlaces {
    fn add(&mut self, place: FoundAt) {
        self.all += 1;
        self.first.insert(place);
        if self.first.len() > PLACES_SHOWN + 1 {
            self.first.pop_last();
        }
    }
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

    pub(super) fn file_note(&mut self, code: &str, file: &str, message: impl Into<String>) {
        self.push(Severity::Ok, code, message.into(), Some(file), None);
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
        let causes = match severity {
            Severity::Error => &mut self.errors,
            Severity::Ok => &mut self.notes,
            Severity::Warning | Severity::Other => &mut self.warnings,
        };
        let place = (file.map(shown), line);
        let key = (code.to_owned(), message);
        if let Some((_, places)) = causes.known.get(&key).and_then(|at| causes.found.get_mut(*at)) {
            places.add(place);
        } else if causes.found.len() < MOST {
            let (code, message) = key.clone();
            causes.known.insert(key, causes.found.len());
            let finding = Finding { severity, code, message, file: None, line: None };
            let mut places = CausePlaces::default();
            places.add(place);
            causes.found.push((finding, places));
        } else {
            self.left_out += 1;
        }
    }

    /// Errors first, then warnings and notes, each by the first place of its cause.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut sorted = self.errors.into_sorted();
        sorted.append(&mut self.warnings.into_sorted());
        if self.left_out > 0 {
            let message = format!("{} more findings are not shown: fix these first", self.left_out);
            sorted.push(Finding {
                severity: Severity::Warning,
                code: "more_findings".to_owned(),
                message,
                file: None,
                line: None,
            });
        }
        sorted.append(&mut self.notes.into_sorted());
        sorted
    }
}

impl Causes {
    fn into_sorted(self) -> Vec<Finding> {
        let mut found: Vec<Finding> = self.found.into_iter().map(at_its_places).collect();
        found.sort_by(|a, b| a.file.cmp(&b.file).then_with(|| a.line.cmp(&b.line)));
        found
    }
}

/// The finding at the first of its places, with the names of the next ones.
fn at_its_places((mut finding, CausePlaces { first, all }): (Finding, CausePlaces)) -> Finding {
    let mut first = first.into_iter();
    (finding.file, finding.line) = first.next().unwrap_or_default();
    if finding.file.is_none() {
        return finding;
    }
    let others: Vec<String> = first
        .filter_map(|(file, line)| Some((file?, line)))
        .map(|(file, line)| line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
        .collect();
    let mut room = ROOM_FOR_PLACES;
    let mut shown = Vec::new();
    for place in others.iter().take(PLACES_SHOWN) {
        let Some(left) = room.checked_sub(place.len()) else { break };
        room = left;
        shown.push(place.as_str());
    }
    match (shown.as_slice(), (all - 1).saturating_sub(shown.len())) {
        ([], 0) => {}
        ([], more) => finding.message.push_str(&format!(" (also in {more} more places)")),
        (_, 0) => finding.message.push_str(&format!(" (also {})", shown.join(", "))),
        (_, more) => finding.message.push_str(&format!(" (also {} and {more} more)", shown.join(", "))),
    }
    finding
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
