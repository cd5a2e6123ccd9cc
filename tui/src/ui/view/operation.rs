//! A live operation: gauge, steps, and the newest lines of its log; at the end, its result.
//! Shows what the daemon said; only the elapsed time is computed here, from the time of the last tick.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::operation::{OperationKind, OperationState, StepProgress, StepStatus};
use tenantry_protocol::tenant::TenantState;

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;
use crate::ui::state::operation::{Live, OperationScreen, can_be_retried};

pub(super) fn draw(state: &State, screen: &OperationScreen, frame: &mut Frame<'_>, area: Rect) {
    let Some(live) = state.live(screen) else {
        super::lines(frame, area, vec![Line::styled(" loading …", Theme::dim())]);
        return;
    };
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines = vec![gauge(state, live, columns)];
    lines.extend(steps(state, live, columns));
    lines.extend(outcome(state, live, columns));
    let room = usize::from(area.height).saturating_sub(lines.len());
    if room >= 2 && !live.log.is_empty() {
        let newer = if screen.top > 0 { format!("{} newer above ", screen.top) } else { String::new() };
        let rule = "─".repeat(columns.saturating_sub(4 + newer.len()));
        lines.push(Line::styled(format!(" log {newer}{rule}"), Theme::dim()));
        // Newest first, so that a growing log does not push new lines out of sight.
        lines.extend(live.log.iter().rev().skip(screen.top).take(room - 1).map(|(at, line)| {
            Line::styled(
                format!(" {} {}", format::clock(*at), cut(line, columns.saturating_sub(14))),
                Theme::dim(),
            )
        }));
    }
    super::lines(frame, area, lines);
}

fn gauge(state: &State, live: &Live, columns: usize) -> Line<'static> {
    let theme = Theme(state.colours);
    let (done, all) = live.progress();
    let elapsed = format::duration(live.elapsed_ms(state.now));
    let budget = format::duration(live.operation.budget_ms as f64);
    let budget = if columns < 60 { budget } else { format!("{budget} budget") };
    let (text, style) = match &live.operation.state {
        OperationState::Succeeded if all == 0 => (format!("✓ done in {elapsed}"), theme.good()),
        OperationState::Succeeded => (format!("✓ done: {all} steps in {elapsed}"), theme.good()),
        OperationState::RolledBack { .. } => (format!("✗ failed after {elapsed}, and undone"), theme.bad()),
        OperationState::NeedsAttention { .. } => (format!("! needs you, after {elapsed}"), theme.bad()),
        OperationState::Unwinding { .. } => (format!("↺ undoing     {elapsed} of {budget}"), theme.warning()),
        OperationState::Queued => (format!("· waiting     {elapsed} of {budget}"), Theme::dim()),
        OperationState::Cancelled => ("✗ cancelled before it began".to_owned(), theme.warning()),
        OperationState::Other => ("? in a state that this release does not know".to_owned(), theme.warning()),
        OperationState::Running => {
            (format!("step {} of {all}     {elapsed} of {budget}", (done + 1).min(all)), Theme::text())
        }
    };
    let room = columns.saturating_sub(46).min(33);
    // Some kinds have no steps to fill a gauge.
    if room < 8 || all == 0 {
        return Line::styled(format!(" {text}"), style);
    }
    let full = (room * done).checked_div(all).unwrap_or(0).min(room);
    Line::from(vec![
        Span::styled(format!(" {}", "▓".repeat(full)), style),
        Span::styled("░".repeat(room - full), Theme::dim()),
        Span::styled(format!(" {text}"), style),
    ])
}

fn steps(state: &State, live: &Live, columns: usize) -> Vec<Line<'static>> {
    let steps = &live.operation.steps;
    let atomic: Vec<usize> =
        steps.iter().enumerate().filter(|(_, step)| step.atomic).map(|(at, _)| at).collect();
    let (first, last) = (atomic.first().copied(), atomic.last().copied());
    let bracket = |at: usize| match (first, last) {
        (Some(first), Some(last)) if first == last && at == first => "╶ one transaction",
        (Some(first), _) if at == first => "┐",
        (_, Some(last)) if at == last => "┘ one transaction",
        (Some(first), Some(last)) if first < at && at < last => "│",
        _ => "",
    };
    steps.iter().enumerate().map(|(at, step)| step_line(state, step, bracket(at), columns)).collect()
}

fn step_line(state: &State, step: &StepProgress, bracket: &str, columns: usize) -> Line<'static> {
    let theme = Theme(state.colours);
    let style: Style = match step.status {
        StepStatus::Done => theme.good(),
        StepStatus::Running => theme.busy(),
        StepStatus::Failed => theme.bad(),
        StepStatus::Undone => theme.warning(),
        StepStatus::Waiting | StepStatus::Other => Theme::dim(),
    };
    let count = format::step_count(step).map(|count| format!("  {count}")).unwrap_or_default();
    let time = match (step.status, step.duration_ms) {
        (StepStatus::Waiting | StepStatus::Running, _) => String::new(),
        (StepStatus::Done, Some(ms)) => format::duration(ms),
        (status, _) => format::step_word(status).to_owned(),
    };
    // On a narrow screen, the step titles matter more than which steps share a transaction.
    let narrow = columns < 60;
    let title = if narrow { columns.saturating_sub(13) } else { columns.saturating_sub(33).clamp(16, 46) };
    let bracket = if narrow { "" } else { bracket };
    Line::from(vec![
        Span::styled(format!(" {} ", format::step_glyph(step.status)), style),
        Span::raw(cell(&format!("{}{count}", step.title), title)),
        Span::styled(format!(" {:>8}  ", time), Theme::dim()),
        Span::styled(bracket.to_owned(), Theme::dim()),
    ])
}

fn outcome(state: &State, live: &Live, columns: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let operation = &live.operation;
    let mut parts: Vec<(String, Style)> = Vec::new();
    if let Some(failure) = operation.state.failure() {
        parts.push((format!("✗ {}: {}", failure.step, failure.summary()), theme.bad()));
        if let Some(hint) = &failure.hint {
            parts.push((format!("→ {hint}"), Theme::text()));
        }
    }
    match &operation.state {
        OperationState::RolledBack { .. } => {
            let undone = match operation.kind {
                OperationKind::Provision => format!("↺ undone: nothing is left on {}", operation.target),
                _ => format!("↺ undone: {} is as it was before", operation.slug),
            };
            parts.push((undone, theme.warning()));
            if can_be_retried(operation) {
                parts.push((
                    "→ r opens the draft with all its input, to fix it and try again".to_owned(),
                    Theme::text(),
                ));
            }
        }
        OperationState::NeedsAttention { left, next_command, .. } => {
            parts.push((format!("! left: {left}"), theme.bad()));
            parts.push((format!("→ next: {next_command}"), Theme::strong()));
        }
        OperationState::Succeeded if operation.kind == OperationKind::Provision => {
            parts.push((format!("✓ {} {}", operation.slug, what_now(state, live)), theme.good()));
        }
        OperationState::Succeeded => {
            let kind = operation.kind.name().replace('_', " ");
            parts.push((format!("✓ {kind} of {}: done", operation.slug), theme.good()));
        }
        _ => {}
    }
    parts
        .into_iter()
        .flat_map(|(text, style)| {
            wrap(&text, columns).into_iter().map(move |line| Line::styled(format!(" {line}"), style))
        })
        .collect()
}

/// The present state of the tenant that was made, and what to do next.
fn what_now(state: &State, live: &Live) -> String {
    match state.tenants.get(live.operation.tenant_id) {
        Some(tenant) if tenant.state != TenantState::Active => {
            format!("was made then; it is {} now", tenant.state.name().replace('_', " "))
        }
        Some(tenant) if tenant.credentials.is_some() => {
            "is active, its login was shown; c sets a new secret".to_owned()
        }
        _ => "is active; c issues its login, shown once".to_owned(),
    }
}
