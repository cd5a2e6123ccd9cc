//! The dialog that removes a tenant: the exact effects, the name to type, and Cancel in focus.
//! Shows the tenant that was frozen when the dialog opened, never the one that the list has selected now.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::fit::wrap;
use super::theme::Theme;
use crate::format;
use crate::ui::state::rollback::{Asking, RollbackDialog};
use crate::ui::state::{Answer, State};

/// Said wherever something is removed.
pub(super) const NO_ARCHIVE: &str = "! No archive is made (--discard-data): the data cannot be brought back.";
const QUESTION: &str = " Type its name to roll it back: ";

pub(super) fn draw(state: &State, dialog: &RollbackDialog, frame: &mut Frame<'_>, area: Rect) {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines: Vec<Line<'static>> = effects(state, dialog)
        .iter()
        .flat_map(|(text, style)| {
            wrap(text, columns).into_iter().map(move |line| Line::styled(format!(" {line}"), *style))
        })
        .collect();
    lines.extend(
        wrap(NO_ARCHIVE, columns).into_iter().map(|text| Line::styled(format!(" {text}"), theme.bad())),
    );
    lines.push(Line::default());
    let mut question = lines.len();
    lines.push(Line::from(vec![
        Span::styled(QUESTION, Theme::strong()),
        Span::raw(dialog.typed.value().to_owned()),
    ]));
    lines.push(Line::default());
    lines.push(buttons(roll_back(dialog)));
    match &dialog.progress {
        Asking::NotYet => {}
        Asking::Sent(_) => lines.push(Line::styled(" ◐ asking the daemon …", theme.busy())),
        Asking::Refused(error) => lines.extend(
            wrap(&format!("✗ {}", error.message), columns)
                .into_iter()
                .map(|text| Line::styled(format!(" {text}"), theme.bad())),
        ),
    }
    // On a small screen the middle of the explanation gives way: what goes, and the question, stay.
    let excess = lines.len().saturating_sub(usize::from(area.height).max(5));
    if excess > 0 && question > excess + 1 {
        lines.drain(1..=excess);
        question -= excess;
    }
    let column =
        (QUESTION.len() + dialog.typed.visual_cursor()).min(usize::from(area.width).saturating_sub(1));
    if question < usize::from(area.height) {
        frame.set_cursor_position(Position::new(area.x + column as u16, area.y + question as u16));
    }
    super::lines(frame, area, lines);
}

/// What goes, as exactly as it is known now.
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

/// What the key that removes is waiting for, if anything.
fn roll_back(dialog: &RollbackDialog) -> (Style, &'static str) {
    match (dialog.is_named(), dialog.is_known()) {
        (true, true) => (Theme::strong(), "Roll back: ctrl-x"),
        (true, false) => (Theme::dim(), "Roll back: being counted"),
        (false, _) => (Theme::dim(), "Roll back: type the name first"),
    }
}

/// Cancel is what Enter presses; the other has a key of its own, and only once everything is typed.
pub(super) fn buttons((style, text): (Style, &'static str)) -> Line<'static> {
    Line::from(vec![
        Span::raw("     "),
        Span::styled("▸ Cancel ◂", Theme::selected()),
        Span::raw("    "),
        Span::styled(text, style),
    ])
}
