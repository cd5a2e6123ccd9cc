//! A tenant's isolation report: the screen that shows it, and its text.
//!
//! Invariant: what is wrong comes first, then what an administrator can close, then what no tenancy can close. Only the
//! filter leaves out a part of the report. Pure: the time is the one of the last tick.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::{Grade, IsolationReport, Verdict};
use tenantry_protocol::name::Slug;
use tenantry_protocol::tenant::TenantDetail;
use time::OffsetDateTime;
use tui_input::Input;

use super::tenants::Typing;
use super::{Answer, State};
use crate::format;
use crate::ui::fit::{cell, cut, wrap};

/// Columns of a probe's name; the longest name is one shorter.
const PROBE: usize = 22;
/// Columns of an SQLSTATE and a space.
const SQLSTATE: usize = 6;

/// Lines above the report: two for the headline, and one for the filter.
pub(crate) const REPORT_HEAD: usize = 3;

/// Columns of the report's text on this screen.
pub(crate) fn report_columns(state: &State) -> usize {
    usize::from(state.size.0).saturating_sub(1)
}

#[derive(Debug)]
pub(crate) struct IsolationScreen {
    pub(crate) id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) detail: Answer<Box<TenantDetail>>,
    pub(crate) filter: Input,
    pub(crate) typing: Typing,
    pub(crate) evidence: Evidence,
    /// The first line on the screen.
    pub(crate) top: usize,
}

/// Whether the server's answer is also shown for attacks that were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    Folded,
    Shown,
}

/// A line of the report: its mark and its text, each in its style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportLine {
    pub(crate) mark: String,
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warning,
    Heading,
    Plain,
    Dim,
}

impl IsolationScreen {
    pub(crate) fn new(id: TenantId, slug: Slug, detail: Answer<Box<TenantDetail>>) -> Self {
        let filter = Input::default();
        Self { id, slug, detail, filter, typing: Typing::No, evidence: Evidence::Folded, top: 0 }
    }

    pub(crate) fn report(&self) -> Option<&IsolationReport> {
        match &self.detail {
            Answer::Given(detail) => detail.isolation.as_ref(),
            Answer::Awaited | Answer::Refused(_) => None,
        }
    }

    /// The lines of the report that match the filter, at most `columns` wide.
    pub(crate) fn lines(&self, columns: usize) -> Vec<ReportLine> {
        let report = self.report();
        report
            .map(|report| body(report, self.filter.value().trim(), self.evidence, columns))
            .unwrap_or_default()
    }

    /// The whole report, to be sent to somebody else.
    pub(crate) fn text(&self, now: OffsetDateTime) -> Option<String> {
        const PAPER: usize = 120;
        let report = self.report()?;
        let head = headline(report, now).map(|line| format!("{}: {line}\n", self.slug));
        let lines = body(report, "", Evidence::Shown, PAPER);
        Some(head.concat() + &lines.into_iter().map(|line| line.mark + &line.text + "\n").collect::<String>())
    }
}

/// Grade, tenancy and how much held; then when, how deep, on which server, and how long it took.
pub(crate) fn headline(report: &IsolationReport, now: OffsetDateTime) -> [String; 2] {
    let server = match report.server_version.as_str() {
        "" => String::new(),
        version => format!(" · PostgreSQL {version}"),
    };
    let ago = match format::age(report.at, now).as_str() {
        "now" => "verified now".to_owned(),
        age => format!("verified {age} ago"),
    };
    [
        format!(
            "grade {} · {} · {} tenancy",
            report.grade(),
            format::isolation(Some(report)),
            report.tenancy.name()
        ),
        format!(
            "{ago}, {} UTC · battery {}{server} · {}",
            format::timestamp(report.at),
            report.battery_version,
            format::duration(report.duration_ms)
        ),
    ]
}

pub(crate) const fn tone(grade: Grade) -> Tone {
    match grade {
        Grade::A => Tone::Good,
        Grade::B | Grade::Other => Tone::Warning,
        Grade::F => Tone::Bad,
    }
}

/// Everything that counts against the isolation, each with its meaning.
fn wrong(report: &IsolationReport, needle: &str, columns: usize) -> Vec<ReportLine> {
    let mut lines = Vec::new();
    for verdict in report.verdicts.iter().filter(|verdict| verdict.is_broken() && matches(verdict, needle)) {
        item(&mut lines, Tone::Bad, "✗", &format!("probe {}: {}", verdict.probe, meaning(verdict)), columns);
        note(&mut lines, &answered(verdict), columns);
    }
    for finding in &report.findings {
        let text = format!("lint {}: {}", finding.lint, finding.evidence);
        if contains(&text, needle) {
            item(&mut lines, Tone::Bad, "✗", &text, columns);
        }
    }
    if report.left_out > 0 && needle.is_empty() {
        let more = format::counted(report.left_out.into(), "more finding");
        item(&mut lines, Tone::Bad, "✗", &format!("{more}, which are not kept"), columns);
    }
    let victim = "the victim is not as it was before the attack";
    if !report.victim_unchanged && contains(victim, needle) {
        item(&mut lines, Tone::Bad, "✗", victim, columns);
    }
    lines
}

fn open(report: &IsolationReport, needle: &str, columns: usize) -> Vec<ReportLine> {
    let mut lines = Vec::new();
    for verdict in report.verdicts.iter().filter(|verdict| verdict.is_open() && matches(verdict, needle)) {
        item(
            &mut lines,
            Tone::Warning,
            "!",
            &format!("probe {}: {}", verdict.probe, meaning(verdict)),
            columns,
        );
        note(&mut lines, &answered(verdict), columns);
        let remedy = verdict.remedy.as_deref().unwrap_or_default();
        item(&mut lines, Tone::Plain, " ", &format!("→ an administrator runs: {remedy}"), columns);
    }
    lines
}

fn body(report: &IsolationReport, needle: &str, evidence: Evidence, columns: usize) -> Vec<ReportLine> {
    let mut lines = Vec::new();
    let mut section = |title: &str, part: Vec<ReportLine>| {
        if !part.is_empty() {
            lines.push(line(Tone::Heading, "", title));
            lines.extend(part);
        }
    };
    section("what is wrong", wrong(report, needle, columns));
    section("what is open, and an administrator can close", open(report, needle, columns));
    let mut gifts = Vec::new();
    for gift in report.gifts.iter().filter(|gift| contains(gift, needle)) {
        item(&mut gifts, Tone::Plain, "·", gift, columns);
    }
    section("what other tenants gave it, which is theirs to answer for", gifts);
    let mut channels = Vec::new();
    for channel in &report.residual {
        let text = format!("{}: {}", channel.name, channel.meaning);
        if contains(&text, needle) {
            item(&mut channels, Tone::Plain, "·", &text, columns);
        }
    }
    section(&format!("what {} tenancy leaves open by its nature", report.tenancy.name()), channels);
    let mut attacks = Vec::new();
    for verdict in report.verdicts.iter().filter(|verdict| matches(verdict, needle)) {
        attack(&mut attacks, verdict, evidence, columns);
    }
    section("every attack, and what came of it", attacks);
    lines
}

/// One line, and beneath it the server's answer if the evidence is shown.
fn attack(lines: &mut Vec<ReportLine>, verdict: &Verdict, evidence: Evidence, columns: usize) {
    let (tone, mark) = match (verdict.held, verdict.is_open()) {
        (true, _) => (Tone::Good, " ✓ "),
        (false, true) => (Tone::Warning, " ! "),
        (false, false) => (Tone::Bad, " ✗ "),
    };
    let probe = PROBE.min(columns / 3);
    let got = verdict.got.as_deref().unwrap_or("–");
    let begin = format!("{}{}", cell(&verdict.probe, probe), cell(got, SQLSTATE));
    let room = columns.saturating_sub(3 + probe + SQLSTATE);
    if evidence == Evidence::Folded {
        lines.push(line(tone, mark, &(begin + &cut(meaning(verdict), room))));
        return;
    }
    let mut before = (mark, begin);
    for part in wrap(meaning(verdict), room) {
        lines.push(line(tone, before.0, &(before.1 + &part)));
        before = ("   ", " ".repeat(probe + SQLSTATE));
    }
    note(lines, &answered(verdict), columns);
}

/// What a success of the attack would mean; older reports do not say.
fn meaning(verdict: &Verdict) -> &str {
    if verdict.meaning.is_empty() { &verdict.evidence } else { &verdict.meaning }
}

fn answered(verdict: &Verdict) -> String {
    let got = verdict.got.as_deref().unwrap_or("no error");
    format!("{got}: {}", verdict.evidence)
}

fn item(lines: &mut Vec<ReportLine>, tone: Tone, mark: &str, text: &str, columns: usize) {
    let mut mark = format!(" {mark} ");
    for part in wrap(text, columns.saturating_sub(3)) {
        lines.push(line(tone, &std::mem::replace(&mut mark, "   ".to_owned()), &part));
    }
}

fn note(lines: &mut Vec<ReportLine>, text: &str, columns: usize) {
    lines.extend(wrap(text, columns.saturating_sub(5)).iter().map(|part| line(Tone::Dim, "     ", part)));
}

fn line(tone: Tone, mark: &str, text: &str) -> ReportLine {
    ReportLine { mark: mark.to_owned(), text: text.to_owned(), tone }
}

fn matches(verdict: &Verdict, needle: &str) -> bool {
    let got = verdict.got.as_deref().unwrap_or_default();
    [verdict.probe.as_str(), &verdict.meaning, &verdict.evidence, got]
        .iter()
        .any(|text| contains(text, needle))
}

/// Ignores case.
fn contains(text: &str, needle: &str) -> bool {
    text.to_lowercase().contains(&needle.to_lowercase())
}
