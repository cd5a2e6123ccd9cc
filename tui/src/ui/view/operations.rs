//! The list of operations: those that run and those that ran, and why the selected one failed.
//! Shows what the console knows; only elapsed times are computed here, from the time of the last tick.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::operation::OperationState;

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::operation::Live;
use crate::ui::state::operations::{OperationsScreen, newest_first};
use crate::ui::state::{Answer, State};

/// Columns of the table for the width available; a width of 0 leaves one out.
struct OperationColumns {
    state: usize,
    kind: usize,
    tenant: usize,
    steps: usize,
    took: usize,
    age: usize,
}

impl OperationColumns {
    fn for_width(columns: u16) -> Self {
        let room = usize::from(columns).saturating_sub(3);
        let state = 17;
        let (kind, steps, took, age) = match room {
            76.. => (18, 7, 11, 6),
            56.. => (18, 7, 0, 0),
            46.. => (12, 0, 0, 0),
            _ => (0, 0, 0, 0),
        };
        let tenant = room.saturating_sub(state + kind + steps + took + age).max(8);
        Self { state, kind, tenant, steps, took, age }
    }
}

pub(super) fn draw(state: &State, screen: &OperationsScreen, frame: &mut Frame<'_>, area: Rect) {
    let height = usize::from(area.height);
    let columns = usize::from(area.width).saturating_sub(2);
    let selected = screen.selected_row(state);
    let mut lines = vec![count_line(state, screen)];
    if state.operations.is_empty() {
        lines.extend(nothing(state, screen, columns));
        super::lines(frame, area, lines);
        return;
    }
    let widths = OperationColumns::for_width(area.width);
    lines.push(header(&widths));
    let detail = screen.selected(state).map(|live| detail(state, live, columns, height)).unwrap_or_default();
    let rows = height.saturating_sub(lines.len() + detail.len()).max(1);
    let top = selected.saturating_sub(rows / 2).min(state.operations.len().saturating_sub(rows));
    for (at, live) in newest_first(state).enumerate().skip(top).take(rows) {
        lines.push(row(state, live, at == selected, &widths));
    }
    // The pane stays at the bottom, so that moving through the list moves nothing else.
    let gap = height.saturating_sub(lines.len() + detail.len());
    lines.extend(std::iter::repeat_n(Line::default(), gap));
    lines.extend(detail);
    super::lines(frame, area, lines);
}

fn count_line(state: &State, screen: &OperationsScreen) -> Line<'static> {
    let running = state.operations.values().filter(|live| !live.operation.state.is_final()).count();
    let text = match &screen.read {
        Answer::Awaited => format!(" {running} running · reading …"),
        _ => format!(" {running} running · the {} newest", state.operations.len()),
    };
    Line::styled(text, Theme::dim())
}

fn nothing(state: &State, screen: &OperationsScreen, columns: usize) -> Vec<Line<'static>> {
    match &screen.read {
        Answer::Awaited => Vec::new(),
        Answer::Given(()) => vec![Line::styled("   nothing has been done yet", Theme::dim())],
        Answer::Refused(error) => wrap(&error.message, columns)
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad()))
            .collect(),
    }
}

fn header(columns: &OperationColumns) -> Line<'static> {
    let text = format!(
        "   {}{}{}{}{}{}",
        cell("STATE", columns.state),
        cell("OPERATION", columns.kind),
        cell("TENANT", columns.tenant),
        cell("STEPS", columns.steps),
        cell("TIME", columns.took),
        cell("AGE", columns.age)
    );
    Line::styled(text, Theme::strong())
}

fn row(state: &State, live: &Live, here: bool, columns: &OperationColumns) -> Line<'static> {
    let operation = &live.operation;
    let (mark, base) = if here { (" ▌ ", Theme::selected()) } else { ("   ", Theme::text()) };
    let (done, all) = live.progress();
    let steps = if all == 0 { "–".to_owned() } else { format!("{done}/{all}") };
    let rest = [
        (operation.title(), columns.kind),
        (operation.slug.to_string(), columns.tenant),
        (steps, columns.steps),
        (format::duration(live.elapsed_ms(state.now)), columns.took),
        (format::age(operation.requested_at, state.now), columns.age),
    ];
    let rest: String = rest.iter().map(|(text, room)| fill(text, *room)).collect();
    Line::from(vec![
        Span::styled(mark, base),
        Span::styled(
            fill(&format::operation_state(&operation.state), columns.state),
            base.patch(colour(state, &operation.state)),
        ),
        Span::styled(rest, base),
    ])
}

/// A cell whose last column stays free; empty if there is no room for it.
fn fill(text: &str, room: usize) -> String {
    if room == 0 { String::new() } else { cell(text, room - 1) + " " }
}

fn colour(state: &State, of: &OperationState) -> Style {
    let theme = Theme(state.colours);
    match of {
        OperationState::Succeeded => theme.good(),
        OperationState::Queued | OperationState::Running => theme.busy(),
        OperationState::NeedsAttention { .. } => theme.bad(),
        OperationState::Unwinding { .. } | OperationState::RolledBack { .. } => theme.warning(),
        OperationState::Cancelled | OperationState::Other => Theme::text(),
    }
}

/// The running step or the cause of the failure, and who requested the operation.
fn detail(state: &State, live: &Live, columns: usize, height: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let operation = &live.operation;
    let mut parts = Vec::new();
    if let Some(failure) = operation.state.failure() {
        parts.push((format!("✗ {}: {}", failure.step, failure.summary()), theme.bad()));
        if let Some(hint) = &failure.hint {
            parts.push((format!("→ {hint}"), Theme::text()));
        }
    }
    if let OperationState::NeedsAttention { next_command, .. } = &operation.state {
        parts.push((format!("→ next: {next_command}"), Theme::strong()));
    }
    if let Some(step) = live.at_work() {
        parts.push((format!("◐ {step}"), theme.busy()));
    }
    let asked = format::timestamp(operation.requested_at);
    parts.push((format!("on {} · by {} · {asked} UTC", operation.target, operation.actor), Theme::dim()));
    let most = match height {
        16.. => 5,
        9.. => 2,
        _ => 1,
    };
    let rule = Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim());
    let facts = parts.into_iter().flat_map(|(text, style)| {
        wrap(&text, columns)
            .into_iter()
            .map(move |line| Line::styled(format!(" {}", cut(&line, columns)), style))
    });
    std::iter::once(rule).chain(facts.take(most)).collect()
}
