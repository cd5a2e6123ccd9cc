//! One whole record: an event of the trail, or what a verification of it found.
//! Draws the lines that the state made; their wording is not decided here.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Theme;
use crate::ui::state::State;
use crate::ui::state::audit::record::{Record, RecordScreen};
use crate::ui::state::isolation::report_columns;

pub(super) fn draw(state: &State, screen: &RecordScreen, frame: &mut Frame<'_>, area: Rect) {
    let height = usize::from(area.height);
    let lines = screen.lines(report_columns(state));
    let top = screen.top.min(lines.len().saturating_sub(height));
    let is_bad = match &screen.record {
        Record::Event(event) => !event.intact,
        Record::Verdict(verdict) => verdict.broken.is_some(),
    };
    let below = lines.len().saturating_sub(top + height);
    let mut drawn: Vec<Line<'static>> = lines
        .into_iter()
        .enumerate()
        .skip(top)
        .take(height)
        .map(|(at, (name, text))| {
            let text = if at == 0 && is_bad {
                Span::styled(text, Theme(state.colours).bad())
            } else {
                Span::raw(text)
            };
            Line::from(vec![Span::styled(format!(" {name}"), Theme::dim()), text])
        })
        .collect();
    if below > 0 && height > 2 {
        // Replaces the last line, which comes into sight with the next key.
        drawn.truncate(height - 1);
        drawn.push(Line::styled(format!(" … {} lines below", below + 1), Theme::dim()));
    }
    super::lines(frame, area, drawn);
}
