//! The dialog for an export of the trail: which events, in which format, under which name; and its progress.
//! The question stays visible at every size; the explanation gives way.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::fit::{cut, wrap};
use super::theme::Theme;
use crate::ui::state::State;
use crate::ui::state::audit::export::{ExportField, ExportScreen, FORMATS, meaning};

/// Columns before the value of a field.
const NAMES: usize = 10;

pub(super) fn draw(state: &State, screen: &ExportScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(2);
    let words = if screen.words.is_empty() { "all events" } else { &screen.words };
    let mark = |field: ExportField| if screen.field == field { '▌' } else { ' ' };
    let formats = FORMATS.iter().flat_map(|format| {
        let name = meaning(*format).0;
        let chosen = *format == screen.format;
        let style = if chosen { Theme::selected() } else { Theme::text() };
        [Span::styled(if chosen { format!("▸{name}◂") } else { format!(" {name} ") }, style), Span::raw(" ")]
    });
    let mut format = vec![Span::raw(format!("{}format   ", mark(ExportField::Format)))];
    format.extend(formats);
    let mut lines = vec![
        Line::from(vec![
            Span::styled(" events   ", Theme::dim()),
            Span::raw(cut(words, columns.saturating_sub(NAMES))),
        ]),
        Line::from(format),
        Line::styled(format!("          {}", meaning(screen.format).1), Theme::dim()),
        Line::raw(format!("{}file     {}", mark(ExportField::Name), screen.name.value())),
    ];
    let name_row = lines.len() as u16 - 1;
    let place = format!("relative to {}; mode 0600, nothing is overwritten", state.folder);
    lines.extend(
        wrap(&place, columns.saturating_sub(NAMES))
            .into_iter()
            .map(|part| Line::styled(format!("          {part}"), Theme::dim())),
    );
    let said = match (&state.exporting, &screen.refusal) {
        (Some(exporting), _) => Some((format!("◐ {}", exporting.progress()), theme.busy())),
        (None, Some(refusal)) => Some((format!("✗ {refusal}"), theme.bad())),
        (None, None) => None,
    };
    if let Some((text, style)) = said {
        // If it would fall off the screen, it takes the place of the explanation.
        let parts = wrap(&text, columns);
        let room = usize::from(area.height);
        lines.truncate(room.saturating_sub(parts.len()).max(usize::from(name_row) + 1).min(lines.len()));
        lines.extend(parts.into_iter().map(|part| Line::styled(format!(" {part}"), style)));
    }
    super::lines(frame, area, lines);
    if screen.field == ExportField::Name && state.exporting.is_none() && area.height > name_row {
        let column = NAMES + screen.name.visual_cursor();
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y + name_row));
    }
}
