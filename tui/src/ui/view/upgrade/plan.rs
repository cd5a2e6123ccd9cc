//! What an upgrade would do, before it is approved.
//! Shows the plan that was read, and never one that was made anew meanwhile.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::ui::state::State;
use crate::ui::state::isolation::report_columns;
use crate::ui::state::upgrade_plan::UpgradePlanScreen;
use crate::ui::view::theme::Theme;

pub(in crate::ui::view) fn draw(
    state: &State,
    screen: &UpgradePlanScreen,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let height = usize::from(area.height);
    let lines = screen.lines(report_columns(state));
    let top = screen.top.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(top + height);
    let theme = Theme(state.colours);
    let shown = lines.into_iter().skip(top).take(height);
    let mut drawn: Vec<Line<'static>> =
        shown.map(|(tone, text)| Line::styled(format!(" {text}"), theme.tone(tone))).collect();
    if below > 0 && height > 2 {
        // Replaces the last line, which comes into sight with the next key.
        drawn.truncate(height - 1);
        drawn.push(Line::styled(format!(" … {} lines below", below + 1), Theme::dim()));
    }
    crate::ui::view::lines(frame, area, drawn);
}
