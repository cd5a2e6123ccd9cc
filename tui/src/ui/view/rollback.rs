//! The dialog that removes a tenant: the exact effects, the name to type, and Cancel in focus.
//! Shows the tenant that was frozen when the dialog opened, never the one that the list has selected now.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::fit::{width, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::rollback::{Asking, RollbackDialog};
use crate::ui::state::{Answer, State};

/// Shown wherever something is removed.
pub(super) const ARCHIVE: &str = "An archive is made and read back first, in the daemon's archive folder.";
const QUESTION: &str = " Type its name to roll it back: ";

pub(super) fn draw(state: &State, dialog: &RollbackDialog, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let height = usize::from(area.height);
    let above = explanation(state, dialog, columns);
    let mut below = wrapped(&[(ARCHIVE.to_owned(), Theme::text())], columns);
    let airy = above.len() + below.len() + 6 < height;
    let gap = if airy { vec![Line::default()] } else { Vec::new() };
    below.extend(gap.iter().cloned());
    let (asked, (row, column)) = question(QUESTION, dialog.tenant.slug.as_str(), &dialog.typed, columns);
    let row = below.len() + row;
    below.extend(asked.into_iter().chain(gap));
    below.push(buttons(roll_back(dialog)));
    below.extend(progress(state, dialog, columns));
    // On a small screen the effects can be scrolled; the question and the way out are always visible.
    let room = height.saturating_sub(below.len()).max(1);
    let top = dialog.top.min(above.len().saturating_sub(room));
    let hidden = above.len().saturating_sub(top + room);
    let mut lines: Vec<Line<'static>> = above.into_iter().skip(top).take(room).collect();
    if hidden > 0 {
        lines.pop();
        lines.push(Line::styled(format!(" ↓ {} more lines", hidden + 1), Theme::dim()));
    }
    let row = lines.len() + row;
    lines.extend(below);
    if row < height {
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y + row as u16));
    }
    super::lines(frame, area, lines);
}

/// The question, with the answer beside it or, if that would not fit, below it; and where the cursor is.
pub(super) fn question(
    asked: &str,
    answer: &str,
    typed: &Input,
    columns: usize,
) -> (Vec<Line<'static>>, (usize, usize)) {
    let value = Span::raw(typed.value().to_owned());
    let asked_line = Span::styled(asked.to_owned(), Theme::strong());
    if width(asked) + width(answer) < columns {
        return (vec![Line::from(vec![asked_line, value])], (0, width(asked) + typed.visual_cursor()));
    }
    (vec![Line::from(asked_line), Line::from(vec![Span::raw("   "), value])], (1, 3 + typed.visual_cursor()))
}

fn explanation(state: &State, dialog: &RollbackDialog, columns: usize) -> Vec<Line<'static>> {
    wrapped(&effects(state, dialog), columns)
}

fn wrapped(parts: &[(String, Style)], columns: usize) -> Vec<Line<'static>> {
    let lines = parts.iter().flat_map(|(text, style)| {
        wrap(text, columns).into_iter().map(move |line| Line::styled(format!(" {line}"), *style))
    });
    lines.collect()
}

fn progress(state: &State, dialog: &RollbackDialog, columns: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    match &dialog.progress {
        Asking::NotYet => Vec::new(),
        Asking::Sent(_) => vec![Line::styled(" ◐ asking the daemon …", theme.busy())],
        Asking::Refused(error) => wrap(&format!("✗ {}", error.message), columns)
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), theme.bad()))
            .collect(),
    }
}

/// The effects, as exactly as they are known now.
fn effects(state: &State, dialog: &RollbackDialog) -> Vec<(String, Style)> {
    let tenant = &dialog.tenant;
    let plain = |text: String| (text, Theme::text());
    let what = format!(
        "This removes tenant {} ({}, {} {}, {}) from {}:",
        tenant.slug,
        tenant.display_name,
        tenant.blueprint,
        tenant.version,
        tenant.state.name().replace('_', " "),
        tenant.target
    );
    let mut parts = vec![plain(what)];
    match &dialog.effects {
        Answer::Given(preview) => {
            parts.extend(format::rollback_effects(preview).map(|effect| plain(format!("· {effect}"))));
            parts.push(plain(format::was_active(preview, state.now)));
        }
        Answer::Awaited => {
            parts.push(plain(format!(
                "· schema {} with everything in it, its roles and sessions",
                tenant.placement
            )));
            parts.push(("  counting …".to_owned(), Theme::dim()));
        }
        Answer::Refused(error) => {
            parts.push(plain(format!(
                "· schema {} with everything in it, its roles and sessions",
                tenant.placement
            )));
            let why = format!("! how much that is is not known: {}", error.message);
            parts.push((why, Theme(state.colours).warning()));
        }
    }
    parts
}

/// What the key that removes the tenant is still waiting for, if anything.
fn roll_back(dialog: &RollbackDialog) -> (Style, &'static str) {
    match (dialog.is_named(), dialog.is_known()) {
        (true, true) => (Theme::strong(), "Roll back: ctrl-x"),
        (true, false) => (Theme::dim(), "Roll back: being counted"),
        (false, _) => (Theme::dim(), "Roll back: type the name first"),
    }
}

/// Enter presses Cancel; the other button has a key of its own, and only once everything is typed.
pub(super) fn buttons((style, text): (Style, &'static str)) -> Line<'static> {
    Line::from(vec![
        Span::raw("     "),
        Span::styled("▸ Cancel ◂", Theme::selected()),
        Span::raw("    "),
        Span::styled(text, style),
    ])
}
