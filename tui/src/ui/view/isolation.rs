//! A tenant's isolation report: grade and circumstances, then what is wrong, open, open by nature, and every attack.
//! Shows the newest report that was read; the headline stays while the rest scrolls.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tenantry_protocol::isolation::IsolationReport;

use super::fit::{cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::isolation::{self, IsolationScreen, REPORT_HEAD, ReportLine, Tone, report_columns};
use crate::ui::state::tenants::Typing;
use crate::ui::state::{Answer, State};

const FILTER: &str = " filter: ";

pub(super) fn draw(state: &State, screen: &IsolationScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(1);
    let sentence = |text: &str, tone: Tone| -> Vec<Line<'static>> {
        let parts = wrap(text, columns).into_iter();
        parts.map(|part| Line::styled(format!(" {part}"), theme.tone(tone))).collect()
    };
    let lines = match (&screen.detail, screen.report()) {
        (Answer::Awaited, _) => sentence("loading …", Tone::Dim),
        (Answer::Refused(error), _) => sentence(&error.message, Tone::Bad),
        (Answer::Given(_), None) => {
            sentence("It was never verified: v attacks its isolation now.", Tone::Plain)
        }
        (Answer::Given(_), Some(report)) => shown(state, screen, report, area),
    };
    super::lines(frame, area, lines);
    if screen.typing == Typing::Filter && area.height > 2 {
        let column = FILTER.len() + screen.filter.visual_cursor();
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y + 2));
    }
}

fn shown(
    state: &State,
    screen: &IsolationScreen,
    report: &IsolationReport,
    area: Rect,
) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(2);
    let [first, second] = isolation::headline(report, state.now);
    let mut lines = vec![
        Line::styled(format!(" {}", cut(&first, columns)), theme.tone(isolation::tone(report.grade()))),
        Line::styled(format!(" {}", cut(&second, columns)), Theme::dim()),
    ];
    let body = screen.lines(report_columns(state));
    let rows = usize::from(area.height).saturating_sub(REPORT_HEAD);
    let top = screen.top.min(body.len().saturating_sub(rows));
    lines.push(third(screen, report, body.len(), top, rows));
    if body.is_empty() {
        lines.push(Line::styled("   nothing matches; esc clears the filter", Theme::dim()));
    }
    lines.extend(body.into_iter().skip(top).take(rows).map(|line| drawn(theme, line)));
    lines
}

/// The filter while there is one; else what there is to worry about, and how much is below.
fn third(
    screen: &IsolationScreen,
    report: &IsolationReport,
    all: usize,
    top: usize,
    rows: usize,
) -> Line<'static> {
    let filter = screen.filter.value();
    let below = all.saturating_sub(top + rows);
    let below = if below > 0 { format!(" · {below} lines below") } else { String::new() };
    if !filter.is_empty() || screen.typing == Typing::Filter {
        return Line::from(vec![
            Span::raw(format!("{FILTER}{filter}")),
            Span::styled(format!("    {}{below}", format::counted(all as u64, "line")), Theme::dim()),
        ]);
    }
    let open = report.verdicts.iter().filter(|verdict| verdict.is_open()).count();
    let wrong = match report.problems().len() {
        0 => "nothing is wrong".to_owned(),
        problems => format!("{problems} wrong"),
    };
    let open = if open > 0 { format!(" · {open} open") } else { String::new() };
    let lints = if report.lints > 0 {
        format!(" · {}", format::counted(report.lints.into(), "lint"))
    } else {
        String::new()
    };
    let residual = report.residual.len();
    Line::styled(format!(" {wrong}{open}{lints} · {residual} left open by nature{below}"), Theme::dim())
}

/// Only lines that report something wrong are coloured throughout.
fn drawn(theme: Theme, line: ReportLine) -> Line<'static> {
    let style = theme.tone(line.tone);
    let text = if line.tone == Tone::Good { Theme::text() } else { style };
    let mark = if line.tone == Tone::Heading { " ".to_owned() } else { line.mark };
    Line::from(vec![Span::styled(mark, style), Span::styled(line.text, text)])
}
