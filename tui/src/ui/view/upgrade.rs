//! One upgrade of many tenants: its waves, how fast it goes, what failed and why, and the question before it is cancelled.
//! What was read of the failures stays until it is read again.

pub(super) mod plan;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::upgrade::{FailureGroup, Upgrade, UpgradeState};

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use super::upgrades::{bar, pace, reached, word};
use crate::format;
use crate::ui::state::upgrades::{CancelQuestion, FollowedUpgrade, UpgradeScreen};
use crate::ui::state::{Answer, State};

/// Columns of the names of facts.
const NAME: usize = 10;
/// Columns of the number of tenants in a group of failures.
const NUMBER: usize = 9;

pub(super) fn draw(state: &State, screen: &UpgradeScreen, frame: &mut Frame<'_>, area: Rect) {
    let Some(followed) = state.upgrades.get(screen.id) else {
        super::lines(frame, area, vec![Line::styled(" loading …", Theme::dim())]);
        return;
    };
    let height = usize::from(area.height);
    let columns = usize::from(area.width).saturating_sub(2);
    let below = match screen.asking {
        CancelQuestion::Asked => question(&followed.upgrade, columns),
        CancelQuestion::No => reason(state, screen, columns, height),
    };
    let mut lines = head(state, followed, columns, height);
    // On a small screen the question and the way out are always visible.
    lines.truncate(height.saturating_sub(below.len()).max(1));
    let rows = height.saturating_sub(lines.len() + below.len());
    lines.extend(failures(state, screen, columns, rows));
    let gap = height.saturating_sub(lines.len() + below.len());
    lines.extend(std::iter::repeat_n(Line::default(), gap));
    lines.extend(below);
    super::lines(frame, area, lines);
}

fn head(state: &State, followed: &FollowedUpgrade, columns: usize, height: usize) -> Vec<Line<'static>> {
    let upgrade = &followed.upgrade;
    let (word, style) = word(state, &upgrade.state);
    let mut about = format!(" · {} done", reached(upgrade));
    if let Some(pace) = pace(state, followed) {
        about.push_str(&format!(" · {pace}"));
    }
    let room = columns.saturating_sub(super::fit::width(&word));
    let mut lines = vec![Line::from(vec![
        Span::styled(format!(" {word}"), style.patch(Theme::strong())),
        Span::raw(cut(&about, room)),
    ])];
    if let UpgradeState::Paused { reason, .. } = &upgrade.state {
        let most = if height < 12 { 2 } else { 4 };
        lines.extend(
            wrap(reason, columns.saturating_sub(2))
                .into_iter()
                .take(most)
                .map(|text| Line::styled(format!("   {text}"), Theme(state.colours).warning())),
        );
    }
    let wide = columns.saturating_sub(NAME);
    let mut spans = vec![name("tenants")];
    spans.extend(bar(state, upgrade.counts, wide));
    lines.push(Line::from(spans));
    lines.push(Line::from(vec![name(""), Span::raw(cut(&numbers(upgrade), wide))]));
    lines.push(waves(state, upgrade, wide));
    if height >= 12 {
        let paced = match upgrade.manual {
            true => ", after each wave",
            false => "",
        };
        let text = format!(
            "{} of each target at a time · pauses after {} failed{paced}",
            upgrade.width, upgrade.stop_after
        );
        lines.push(Line::from(vec![name("pace"), Span::raw(cut(&text, wide))]));
        let asked = format!("by {} · {} UTC", upgrade.actor, format::timestamp(upgrade.requested_at));
        lines.push(Line::from(vec![name("asked"), Span::styled(cut(&asked, wide), Theme::dim())]));
    }
    lines
}

fn name(text: &str) -> Span<'static> {
    Span::styled(format!(" {}", cell(text, NAME)), Theme::dim())
}

/// `12 done · 2 were current · 3 failed · 4 running · 491 to come`
fn numbers(upgrade: &Upgrade) -> String {
    let counts = upgrade.counts;
    let parts = [
        (counts.done, "done"),
        (counts.current, "had it already"),
        (counts.failed, "failed"),
        (counts.partly, "partly"),
        (counts.skipped, "skipped"),
        (counts.running, "running"),
        (counts.pending, "to come"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> =
        parts.map(|(number, what)| format!("{} {what}", format::count(number))).collect();
    if parts.is_empty() { "no tenant was behind".to_owned() } else { parts.join(" · ") }
}

/// A cell for each wave, as far as there is room: over, begun, to come.
fn waves(state: &State, upgrade: &Upgrade, columns: usize) -> Line<'static> {
    let theme = Theme(state.colours);
    let count = format!(" {} of {}", (upgrade.wave + 1).min(upgrade.waves), upgrade.waves);
    let room = columns.saturating_sub(count.len());
    let (all, at) = (upgrade.waves as usize, upgrade.wave as usize);
    if all > room {
        return Line::from(vec![name("waves"), Span::raw(count.trim_start().to_owned())]);
    }
    let is_over = matches!(upgrade.state, UpgradeState::Succeeded | UpgradeState::Partial);
    let over = if is_over { all } else { at.min(all) };
    let begun = usize::from(!is_over && at < all);
    Line::from(vec![
        name("waves"),
        Span::styled("▓".repeat(over), theme.good()),
        Span::styled("◐".repeat(begun), theme.busy()),
        Span::styled("░".repeat(all.saturating_sub(over + begun)), Theme::dim()),
        Span::raw(count),
    ])
}

fn failures(state: &State, screen: &UpgradeScreen, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let groups = match &screen.failures {
        Answer::Awaited => return vec![Line::styled(" reading …", Theme::dim())],
        Answer::Refused(error) => {
            let lines = wrap(&error.message, columns).into_iter();
            return lines.map(|text| Line::styled(format!(" {text}"), theme.bad())).take(rows).collect();
        }
        Answer::Given(groups) if groups.is_empty() => {
            return vec![Line::styled(" nothing failed", Theme::dim())];
        }
        Answer::Given(groups) => groups,
    };
    if rows < 2 {
        return Vec::new();
    }
    let room = columns.saturating_sub(NUMBER + 2);
    let key = (room * 3 / 5).min(44);
    let title = format!("   {}{}FOR EXAMPLE", cell("TENANTS", NUMBER), cell("FAILURE", key));
    let mut lines = vec![Line::styled(cut(&title, columns + 2), Theme::strong())];
    let (selected, rows) = (screen.selected_row(), rows - 1);
    let top = selected.saturating_sub(rows / 2).min(groups.len().saturating_sub(rows));
    for (at, group) in groups.iter().enumerate().skip(top).take(rows) {
        let (mark, base) = if at == selected { (" ▌ ", Theme::selected()) } else { ("   ", Theme::text()) };
        lines.push(Line::from(vec![
            Span::styled(mark, base),
            Span::styled(cell(&format::count(group.tenants), NUMBER), base),
            Span::styled(cell(&group.key, key.saturating_sub(1)) + " ", base.patch(theme.bad())),
            Span::styled(cell(group.example.as_str(), room.saturating_sub(key)), base),
        ]));
    }
    lines
}

/// What happened to the tenant that stands for the selected failure.
fn reason(state: &State, screen: &UpgradeScreen, columns: usize, height: usize) -> Vec<Line<'static>> {
    let Some(group) = screen.selected() else { return Vec::new() };
    let most = match height {
        16.. => 5,
        9.. => 2,
        _ => 1,
    };
    let FailureGroup { example, reason, .. } = group;
    let rule = Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim());
    let text = wrap(&format!("✗ {example}: {reason}"), columns);
    let text = text.into_iter().take(most);
    let style: Style = Theme(state.colours).bad();
    std::iter::once(rule).chain(text.map(|line| Line::styled(format!(" {line}"), style))).collect()
}

/// What cancelling means, with the numbers, and which key does it.
fn question(upgrade: &Upgrade, columns: usize) -> Vec<Line<'static>> {
    let counts = upgrade.counts;
    let mut text = format!(
        "Cancel the {} to {} {}? {} of {} have it and keep it",
        upgrade.course.noun(),
        upgrade.blueprint,
        upgrade.version,
        format::count(counts.done + counts.current),
        format::counted(counts.all(), "tenant"),
    );
    if counts.running > 0 {
        text.push_str(&format!(", {} that run end by themselves", format::count(counts.running)));
    }
    text.push_str(&format!(", {} stay as they are.", format::count(counts.pending + counts.bad())));
    let mut lines = vec![Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim())];
    lines.extend(
        wrap(&text, columns).into_iter().map(|line| Line::styled(format!(" {line}"), Theme::strong())),
    );
    lines.push(Line::from(vec![
        Span::raw("     "),
        Span::styled("▸ Leave it ◂", Theme::selected()),
        Span::styled("    Cancel it: ctrl-x", Theme::text()),
    ]));
    lines
}
