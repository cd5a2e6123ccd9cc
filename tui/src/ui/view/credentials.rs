//! Credentials, once: a panel over the operation that made the tenant.
//! The only place that draws a password; closing the panel drops it from the state.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use tenantry_protocol::tenant::Credentials;

use super::fit::{cell, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;

pub(super) fn draw(state: &State, credentials: &Credentials, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(4);
    let fact = |name: &str, value: &str| {
        Line::from(vec![
            Span::styled(format!(" {}", cell(name, 10)), Theme::dim()),
            Span::raw(value.to_owned()),
        ])
    };
    let mut lines = vec![
        fact("role", &credentials.role),
        fact("host", &credentials.host),
        fact("port", &credentials.port.to_string()),
        fact("database", &credentials.database),
    ];
    match &credentials.password {
        Some(password) => {
            lines.push(fact("password", password));
            lines.push(Line::default());
            lines.extend(
                wrap(&format::url(credentials, password), columns)
                    .into_iter()
                    .map(|line| Line::raw(format!(" {line}"))),
            );
            lines.push(Line::default());
            lines
                .push(Line::styled(" ! shown this once, and stored nowhere", Theme(state.colours).warning()));
        }
        None => lines.push(fact("password", "was given before; issue a new one")),
    }
    let height = (lines.len() as u16 + 2).min(area.height);
    let panel = Rect { y: area.y + (area.height - height) / 2, height, ..area };
    frame.render_widget(Clear, panel);
    let title = format!(" credentials of {} ", credentials.slug);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), panel);
}
