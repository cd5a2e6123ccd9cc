//! The dialog that removes a tenant: the exact effects, the name to type, and Cancel in focus.
//! Shows the tenant that was frozen when the dialog opened, never the one that the list has selected now.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tenantry_protocol::tenant::Tenant;

use super::fit::wrap;
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;
use crate::ui::state::rollback::{Asking, RollbackDialog};

const QUESTION: &str = " Type its name to roll it back: ";

pub(super) fn draw(state: &State, dialog: &RollbackDialog, frame: &mut Frame<'_>, area: Rect) {
    let theme = Theme(state.colours);
    let tenant = &dialog.tenant;
    let columns = usize::from(area.width).saturating_sub(2);
    let login = tenant.credentials.as_ref().map_or_else(
        || "no login was issued".to_owned(),
        |login| {
            format!("its login {} was issued {} ago", login.role, format::age(login.issued_at, state.now))
        },
    );
    let effects = [
        format!("This removes tenant {} ({}) from {}:", tenant.slug, tenant.display_name, tenant.target),
        format!("· schema {} with every table, row and function in it", tenant.placement),
        format!("· its roles {0}, {0}_…; {login}; their sessions are cut", tenant.placement),
        format!(
            "It is {}, was made {} ago, with {} {}{}.",
            tenant.state.name().replace('_', " "),
            format::age(tenant.created_at, state.now),
            tenant.blueprint,
            tenant.version,
            settings(tenant)
        ),
    ];
    let mut lines: Vec<Line<'static>> = effects
        .iter()
        .flat_map(|text| wrap(text, columns))
        .map(|text| Line::raw(format!(" {text}")))
        .collect();
    lines.extend(
        wrap("! No archive is made (--discard-data): the data cannot be brought back.", columns)
            .into_iter()
            .map(|text| Line::styled(format!(" {text}"), theme.bad())),
    );
    lines.push(Line::default());
    let mut question = lines.len();
    lines.push(Line::from(vec![
        Span::styled(QUESTION, Theme::strong()),
        Span::raw(dialog.typed.value().to_owned()),
    ]));
    lines.push(Line::default());
    lines.push(buttons(dialog));
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

fn settings(tenant: &Tenant) -> String {
    tenant.settings.iter().map(|(name, value)| format!(", {} {value}", name.replace('_', " "))).collect()
}

/// Cancel is what Enter presses; the other has a key of its own, and only once the name is typed.
fn buttons(dialog: &RollbackDialog) -> Line<'static> {
    let (style, text) = if dialog.is_named() {
        (Theme::strong(), "Roll back: ctrl-x")
    } else {
        (Theme::dim(), "Roll back: type the name first")
    };
    Line::from(vec![
        Span::raw("     "),
        Span::styled("▸ Cancel ◂", Theme::selected()),
        Span::raw("    "),
        Span::styled(text, style),
    ])
}
