//! The list of upgrades of many tenants, the newest first: how far each is, and why the selected one is paused.
//! Shows what the console knows; only ages, rates and times left are computed here, from the time of the last tick.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::upgrade::{UnitCounts, Upgrade, UpgradeState};

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::upgrades::{FollowedUpgrade, UpgradesScreen};
use crate::ui::state::{Answer, State};

/// Columns of the table for the width available; a width of 0 leaves one out.
struct UpgradeColumns {
    state: usize,
    to: usize,
    bar: usize,
    tenants: usize,
    failed: usize,
    age: usize,
}

impl UpgradeColumns {
    fn for_width(columns: u16) -> Self {
        let room = usize::from(columns).saturating_sub(3);
        let state = 13;
        let (tenants, failed, age, bar) = match room {
            96.. => (20, 9, 6, 30),
            76.. => (18, 8, 6, 12),
            56.. => (16, 8, 6, 0),
            46.. => (16, 0, 0, 0),
            _ => (0, 0, 0, 0),
        };
        let to = room.saturating_sub(state + tenants + failed + age + bar).max(8);
        Self { state, to, bar, tenants, failed, age }
    }
}

pub(super) fn draw(state: &State, screen: &UpgradesScreen, frame: &mut Frame<'_>, area: Rect) {
    let height = usize::from(area.height);
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines = vec![count_line(state, screen)];
    if state.upgrades.len() == 0 {
        lines.extend(nothing(state, screen, columns));
        super::lines(frame, area, lines);
        return;
    }
    let widths = UpgradeColumns::for_width(area.width);
    lines.push(header(&widths));
    let detail = screen.selected(state).map(|followed| detail(state, followed, columns, height));
    let detail = detail.unwrap_or_default();
    let selected = screen.selected_row(state);
    let rows = height.saturating_sub(lines.len() + detail.len()).max(1);
    let top = selected.saturating_sub(rows / 2).min(state.upgrades.len().saturating_sub(rows));
    for (at, followed) in state.upgrades.newest_first().enumerate().skip(top).take(rows) {
        lines.push(row(state, followed, at == selected, &widths));
    }
    // The pane stays at the bottom, so that moving through the list moves nothing else.
    let gap = height.saturating_sub(lines.len() + detail.len());
    lines.extend(std::iter::repeat_n(Line::default(), gap));
    lines.extend(detail);
    super::lines(frame, area, lines);
}

fn count_line(state: &State, screen: &UpgradesScreen) -> Line<'static> {
    let running = state.upgrades.running();
    let text = match &screen.read {
        Answer::Awaited => format!(" {running} running · reading …"),
        _ if state.upgrades.len() == 0 => String::new(),
        _ => format!(" {running} running · the {} newest", state.upgrades.len()),
    };
    Line::styled(text, Theme::dim())
}

fn nothing(state: &State, screen: &UpgradesScreen, columns: usize) -> Vec<Line<'static>> {
    let (text, style) = match &screen.read {
        Answer::Awaited => return Vec::new(),
        Answer::Given(()) => (
            "no upgrade was begun yet: `tenantry blueprint upgrade NAME --plan` shows what one would do",
            Theme::dim(),
        ),
        Answer::Refused(error) => (error.message.as_str(), Theme(state.colours).bad()),
    };
    let lines = wrap(text, columns.saturating_sub(2)).into_iter();
    lines.map(|text| Line::styled(format!("   {text}"), style)).collect()
}

fn header(columns: &UpgradeColumns) -> Line<'static> {
    let text = format!(
        "   {}{}{}{}{}{}",
        cell("STATE", columns.state),
        cell("TO", columns.to),
        cell("", columns.bar),
        cell("TENANTS", columns.tenants),
        cell("FAILED", columns.failed),
        cell("AGE", columns.age)
    );
    Line::styled(text, Theme::strong())
}

fn row(state: &State, followed: &FollowedUpgrade, here: bool, columns: &UpgradeColumns) -> Line<'static> {
    let upgrade = &followed.upgrade;
    let (mark, base) = if here { (" ▌ ", Theme::selected()) } else { ("   ", Theme::text()) };
    let (word, style) = word(state, &upgrade.state);
    let counts = upgrade.counts;
    let failed =
        if counts.bad() == 0 { String::new() } else { format!("✗ {}", format::count(counts.bad())) };
    let mut spans = vec![
        Span::styled(mark, base),
        Span::styled(cell(&word, columns.state), base.patch(style)),
        Span::styled(cell(&upgrade.destination(), columns.to.saturating_sub(1)) + " ", base),
    ];
    if columns.bar > 1 {
        spans.extend(bar(state, counts, columns.bar - 1));
        spans.push(Span::raw(" "));
    }
    spans.extend([
        Span::styled(cell(&reached(upgrade), columns.tenants), base),
        Span::styled(cell(&failed, columns.failed), base.patch(Theme(state.colours).bad())),
        Span::styled(
            cell(&format::age(upgrade.requested_at, state.now), columns.age),
            base.patch(Theme::dim()),
        ),
    ]);
    Line::from(spans)
}

/// `1,312 of 2,140`
pub(super) fn reached(upgrade: &Upgrade) -> String {
    let counts = upgrade.counts;
    format!("{} of {}", format::count(counts.done + counts.current), format::count(counts.all()))
}

/// The state as a glyph and a word.
pub(super) fn word(state: &State, of: &UpgradeState) -> (String, Style) {
    let theme = Theme(state.colours);
    let (glyph, style) = match of {
        UpgradeState::Rehearsing | UpgradeState::Running => ('◐', theme.busy()),
        UpgradeState::Paused { .. } => ('!', theme.warning()),
        UpgradeState::Succeeded => ('✓', theme.good()),
        UpgradeState::Partial => ('✗', theme.bad()),
        UpgradeState::Cancelled => ('✗', theme.warning()),
        UpgradeState::Other => ('?', theme.warning()),
    };
    (format!("{glyph} {}", of.name()), style)
}

/// All tenants as one bar: through, in trouble, running, to come. What there is at all has a cell.
pub(super) fn bar(state: &State, counts: UnitCounts, columns: usize) -> Vec<Span<'static>> {
    let theme = Theme(state.colours);
    let parts = [
        (counts.done + counts.current, "▓", theme.good()),
        (counts.bad(), "✗", theme.bad()),
        (counts.running, "◐", theme.busy()),
        (counts.pending, "░", Theme::dim()),
    ];
    let all = counts.all().max(1);
    let share = |number: u64| (number.saturating_mul(columns as u64) / all) as usize;
    let mut widths = parts.map(|(number, ..)| share(number).max(usize::from(number > 0)));
    // Rounding leaves a few cells over, or takes a few too many: the longest part has or gives them.
    let longest = (0..widths.len()).max_by_key(|at| widths[*at]).unwrap_or(0);
    let others: usize = widths.iter().sum::<usize>() - widths[longest];
    widths[longest] = if counts.all() == 0 { 0 } else { columns.saturating_sub(others) };
    let spans = parts.into_iter().zip(widths).filter(|(_, width)| *width > 0);
    let mut spans: Vec<Span<'static>> =
        spans.map(|((_, cell, style), width)| Span::styled(cell.repeat(width), style)).collect();
    if counts.all() == 0 {
        spans.push(Span::styled("·".repeat(columns), Theme::dim()));
    }
    spans
}

/// `118/s · 7 s left`, where enough was seen to say.
pub(super) fn pace(state: &State, followed: &FollowedUpgrade) -> Option<String> {
    if followed.upgrade.state != UpgradeState::Running {
        return None;
    }
    let rate = followed.rate(state.now)?;
    let rate = if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") };
    let left = followed.left(state.now).map(|left| {
        let left = left.max(time::Duration::SECOND);
        format!(" · {} left", format::age(state.now.saturating_sub(left), state.now))
    });
    Some(rate + &left.unwrap_or_default())
}

/// Where the selected one is, why it waits, and who asked for it.
fn detail(state: &State, followed: &FollowedUpgrade, columns: usize, height: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let upgrade = &followed.upgrade;
    let mut parts = Vec::new();
    if let UpgradeState::Paused { reason, .. } = &upgrade.state {
        parts.push((format!("! {reason}"), theme.warning()));
    }
    let mut line = format!("wave {} of {}", (upgrade.wave + 1).min(upgrade.waves), upgrade.waves);
    if let Some(pace) = pace(state, followed) {
        line.push_str(&format!(" · {pace}"));
    }
    parts.push((line, Theme::text()));
    let asked = format::timestamp(upgrade.requested_at);
    parts.push((format!("by {} · {asked} UTC", upgrade.actor), Theme::dim()));
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
