//! The keys of the screen, from the keymap.
//! Made from the same table that the keys are looked up in; it holds no text of its own.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::fit::cell;
use super::theme::Theme;
use crate::ui::keymap;
use crate::ui::state::State;

pub(super) fn draw(state: &State, top: u16, frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'static>> = keymap::bindings(state, keymap::screen_mode(state))
        .map(|binding| {
            Line::from(vec![
                Span::styled(format!("  {}", cell(binding.shown, 14)), Theme::strong()),
                Span::raw(binding.hint),
            ])
        })
        .collect();
    let height = (lines.len() as u16 + 2).min(area.height);
    let panel = Rect { height, ..area };
    let top = top.min((lines.len() as u16).saturating_sub(height.saturating_sub(2)));
    frame.render_widget(Clear, panel);
    let block = Block::bordered().title(" keys that work here now ");
    frame.render_widget(Paragraph::new(lines).scroll((top, 0)).block(block), panel);
}
