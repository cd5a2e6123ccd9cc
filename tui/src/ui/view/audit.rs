//! The audit trail: what matches the filter, and everything about the event that is selected.
//! Shows what was read; whether the chain holds is the daemon's to say, so no verdict is drawn here.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::audit::AuditEvent;

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::audit::{AuditScreen, Older};
use crate::ui::state::tenants::Typing;
use crate::ui::state::{Answer, State};

const FILTER: &str = " filter: ";

pub(super) fn draw(state: &State, screen: &AuditScreen, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let lines = match &screen.events {
        Answer::Awaited => vec![Line::styled(" loading …", Theme::dim())],
        Answer::Refused(error) => wrap(&error.message, columns)
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad()))
            .collect(),
        Answer::Given(events) => list(state, screen, events.len(), columns, usize::from(area.height)),
    };
    super::lines(frame, area, lines);
    if screen.typing == Typing::Filter && area.height > 0 {
        let column = FILTER.len() + screen.filter.visual_cursor();
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
}

fn list(
    state: &State,
    screen: &AuditScreen,
    read: usize,
    columns: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let visible = screen.visible(state.now);
    let selected = screen.selected_row(&visible);
    let mut lines = vec![filter_line(screen, visible.len(), read), header(columns)];
    let detail = visible.get(selected).map(|event| detail(event, columns, height)).unwrap_or_default();
    let rows = height.saturating_sub(lines.len() + detail.len()).max(1);
    let top = selected.saturating_sub(rows / 2).min(visible.len().saturating_sub(rows));
    for (at, event) in visible.iter().enumerate().skip(top).take(rows) {
        lines.push(row(state, event, at == selected, columns));
    }
    if visible.is_empty() {
        let text = if read == 0 {
            "nothing has been recorded yet"
        } else {
            "nothing matches; esc clears the filter"
        };
        lines.push(Line::styled(format!("   {text}"), Theme::dim()));
    }
    // The pane stays at the bottom, so that moving through the list moves nothing else.
    let gap = height.saturating_sub(lines.len() + detail.len());
    lines.extend(std::iter::repeat_n(Line::default(), gap));
    lines.extend(detail);
    lines
}

fn filter_line(screen: &AuditScreen, visible: usize, read: usize) -> Line<'static> {
    let more = if screen.older == Older::None { "" } else { " read so far" };
    let count = if visible == read {
        format!("{read} events{more}")
    } else {
        format!("{visible} of {read} events{more}")
    };
    let filter = screen.filter.value();
    if filter.is_empty() && screen.typing == Typing::No {
        return Line::styled(format!(" {count}"), Theme::dim());
    }
    if filter.is_empty() {
        let words = "words, or tenant:… actor:… action:… outcome:… since:1d";
        return Line::from(vec![Span::raw(FILTER), Span::styled(format!(" {words}"), Theme::dim())]);
    }
    Line::from(vec![
        Span::raw(format!("{FILTER}{filter}")),
        Span::styled(format!("    {count}"), Theme::dim()),
    ])
}

/// Columns for tenant, action and actor; the last gives way first.
const fn widths(columns: usize) -> (usize, usize, usize) {
    match columns {
        100.. => (30, 26, 20),
        70.. => (16, 18, 13),
        48.. => (12, 14, 0),
        _ => (12, 0, 0),
    }
}

fn header(columns: usize) -> Line<'static> {
    let (tenant, action, actor) = widths(columns);
    let parts = [("ACTOR", actor), ("ACTION", action), ("TENANT", tenant)];
    let text: String =
        parts.iter().filter(|(_, room)| *room > 0).map(|(name, room)| cell(name, *room) + " ").collect();
    Line::styled(format!("  {:>6}  {} {text}OUTCOME", "SEQ", cell("UTC", 8)), Theme::strong())
}

fn row(state: &State, event: &AuditEvent, here: bool, columns: usize) -> Line<'static> {
    let (tenant, action, actor) = widths(columns);
    let base = if here { Theme::selected() } else { Theme::text() };
    let clock: String = format::clock(event.at).chars().take(8).collect();
    let parts = [
        (event.actor.as_str(), actor),
        (&event.action, action),
        (event.slug.as_deref().unwrap_or("–"), tenant),
    ];
    let text: String =
        parts.iter().filter(|(_, room)| *room > 0).map(|(text, room)| cell(text, *room) + " ").collect();
    // Where columns are few the pane below says it.
    let took = event.duration_ms.filter(|_| columns >= 100);
    let took = took.map(|ms| format!(" {}", format::duration(ms))).unwrap_or_default();
    Line::from(vec![
        Span::styled(format!(" {}{:>6}  {clock} {text}", if here { '▌' } else { ' ' }, event.seq), base),
        Span::styled(
            event.outcome.clone().unwrap_or_else(|| "–".to_owned()),
            base.patch(colour(state, event)),
        ),
        Span::styled(took, base),
    ])
}

fn colour(state: &State, event: &AuditEvent) -> Style {
    match event.outcome.as_deref() {
        None | Some("ok") => Theme::text(),
        Some(_) => Theme(state.colours).bad(),
    }
}

/// Everything that was recorded of one event; the hashes only where there is room.
fn detail(event: &AuditEvent, columns: usize, height: usize) -> Vec<Line<'static>> {
    let dash = "–";
    let took = event.duration_ms.map(format::duration).unwrap_or_else(|| dash.to_owned());
    let facts = [
        (
            "event",
            format!("{} {} at {} UTC, took {took}", event.seq, event.action, format::timestamp(event.at)),
        ),
        ("by", event.actor.clone()),
        (
            "tenant",
            format!(
                "{} · outcome {}",
                event.slug.as_deref().unwrap_or(dash),
                event.outcome.as_deref().unwrap_or(dash)
            ),
        ),
        ("operation", event.operation_id.clone().unwrap_or_else(|| dash.to_owned())),
        ("hash", event.hash.clone()),
        ("prev", event.prev_hash.clone()),
    ];
    let shown = match height {
        16.. => facts.len(),
        9.. => 3,
        _ => 1,
    };
    let rule = Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim());
    let facts = facts.into_iter().take(shown).map(|(name, value)| {
        Line::from(vec![
            Span::styled(format!(" {}", cell(name, 10)), Theme::dim()),
            Span::raw(cut(&value, columns.saturating_sub(10))),
        ])
    });
    std::iter::once(rule).chain(facts).collect()
}
