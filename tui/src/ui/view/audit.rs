//! The newest events of the audit trail, with the hashes of the one that is selected.
//! Shows what was read; whether the chain holds is the daemon's to say, so no verdict is drawn here.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tenantry_protocol::audit::AuditEvent;

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::{Answer, AuditScreen, State};

/// Lines below the list about the selected event.
const DETAIL: usize = 3;

pub(super) fn draw(state: &State, screen: &AuditScreen, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let lines = match &screen.events {
        Answer::Awaited => vec![Line::styled(" loading …", Theme::dim())],
        Answer::Refused(error) => wrap(&error.message, columns)
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad()))
            .collect(),
        Answer::Given(events) => list(events, screen.selected, columns, usize::from(area.height)),
    };
    super::lines(frame, area, lines);
}

fn list(events: &[AuditEvent], selected: usize, columns: usize, height: usize) -> Vec<Line<'static>> {
    let header = format!(
        " {:>6}  {} {} {} {} OUTCOME",
        "SEQ",
        cell("TIME (UTC)", 12),
        cell("ACTOR", 13),
        cell("ACTION", 18),
        cell("TENANT", 12)
    );
    let mut lines = vec![Line::styled(header, Theme::strong())];
    let rows = height.saturating_sub(DETAIL + 1).max(1);
    let top = selected.saturating_sub(rows / 2).min(events.len().saturating_sub(rows));
    for (at, event) in events.iter().enumerate().skip(top).take(rows) {
        let outcome = event.outcome.as_deref().unwrap_or("–");
        let took = event.duration_ms.map(|ms| format!(" {}", format::duration(ms))).unwrap_or_default();
        let text = format!(
            "{}{:>6}  {} {} {} {} {outcome}{took}",
            if at == selected { '▌' } else { ' ' },
            event.seq,
            cell(&format::clock(event.at), 12),
            cell(&event.actor, 13),
            cell(&event.action, 18),
            cell(event.slug.as_deref().unwrap_or("–"), 12)
        );
        lines.push(Line::styled(text, if at == selected { Theme::selected() } else { Theme::text() }));
    }
    if events.is_empty() {
        lines.push(Line::styled("   nothing has been recorded yet", Theme::dim()));
    }
    if let Some(event) = events.get(selected) {
        lines.push(Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim()));
        lines.push(Line::styled(
            format!(" hash {}", cut(&event.hash, columns.saturating_sub(5))),
            Theme::dim(),
        ));
        lines.push(Line::styled(
            format!(" prev {}", cut(&event.prev_hash, columns.saturating_sub(5))),
            Theme::dim(),
        ));
    }
    lines
}
