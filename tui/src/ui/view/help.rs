//! What can be done on the screen now, taken from the keymap.
//! It is made from the same table in which the keys are looked up, and has no text of its own.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::fit::cell;
use super::theme::Theme;
use crate::ui::keymap;
use crate::ui::state::State;

pub(super) fn draw(state: &State, top: usize, frame: &mut Frame<'_>, area: Rect) {
    let mode = keymap::screen_mode(state);
    let lines: Vec<Line<'static>> = keymap::bindings(state, mode)
        .map(|binding| {
            Line::from(vec![
                Span::styled(format!("  {}", cell(binding.shown, 14)), Theme::strong()),
                Span::raw(binding.hint),
            ])
        })
        .collect();
    let all = lines.len();
    let height = (all as u16 + 2).min(area.height);
    let rows = usize::from(height.saturating_sub(2));
    let top = top.min(all.saturating_sub(rows));
    let below = all.saturating_sub(top + rows);
    let more = if below > 0 { format!(" {below} more below ") } else { String::new() };
    let panel = Rect { height, ..area };
    frame.render_widget(Clear, panel);
    let block = Block::bordered().title(format!(" {}: keys that work now ", mode.title())).title_bottom(more);
    frame.render_widget(Paragraph::new(lines).scroll((top as u16, 0)).block(block), panel);
}
