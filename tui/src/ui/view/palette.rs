//! The command palette: what was typed, and the commands that fit, over the screen they are about.
//! Draws the entries that the state holds; their meaning was decided when they were listed.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::fit::{cell, cut, width};
use super::theme::Theme;
use crate::ui::state::palette::{Palette, PaletteEntry};

/// Columns for the keys.
const KEYS: usize = 8;

pub(super) fn draw(palette: &Palette, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let rows = usize::from(area.height).saturating_sub(3);
    let name = palette.entries.iter().map(|entry| width(&entry.name)).max().unwrap_or(0);
    let name = name.clamp(12, (columns / 2).max(12));
    let mut lines = vec![Line::from(vec![
        Span::styled(" : ", Theme::strong()),
        Span::raw(palette.input.value().to_owned()),
    ])];
    let top = palette.selected.saturating_sub(rows.saturating_sub(1));
    for (at, entry) in palette.entries.iter().enumerate().skip(top).take(rows) {
        lines.push(line(entry, at == palette.selected, name, columns));
    }
    if palette.entries.is_empty() {
        lines.push(Line::styled("   nothing of this name; esc closes", Theme::dim()));
    }
    let height = (lines.len() as u16 + 2).min(area.height);
    let panel = Rect { height, ..area };
    frame.render_widget(Clear, panel);
    let title = match palette.entries.len() {
        0 => " command ".to_owned(),
        count => format!(" command {} of {count} ", palette.selected + 1),
    };
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), panel);
    let column = 4 + palette.input.visual_cursor();
    if panel.height > 2 {
        let column = column.min(usize::from(panel.width).saturating_sub(2)) as u16;
        frame.set_cursor_position(Position::new(panel.x + column, panel.y + 1));
    }
}

fn line(entry: &PaletteEntry, chosen: bool, name: usize, columns: usize) -> Line<'static> {
    let base = if chosen { Theme::selected() } else { Theme::text() };
    let mark = if chosen { " ▌ " } else { "   " };
    let room = columns.saturating_sub(name + KEYS + 5);
    Line::from(vec![
        Span::styled(format!("{mark}{} ", cell(&entry.name, name)), base),
        Span::styled(cell(&cut(&entry.meaning, room), room), base.patch(Theme::dim())),
        Span::styled(format!(" {}", cell(entry.key, KEYS)), base.patch(Theme::strong())),
    ])
}
