//! A tenant's login: the warning before a secret is replaced, and the secret, once.
//! No other code draws a password; leaving the screen drops it from the state.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tenantry_protocol::tenant::Credentials;

use super::fit::{cell, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;
use crate::ui::state::credentials::{CredentialsScreen, Secret};

pub(super) fn draw(state: &State, screen: &CredentialsScreen, frame: &mut Frame<'_>, area: Rect) {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines = Vec::new();
    let mut say = |text: &str, style| {
        lines.extend(wrap(text, columns).into_iter().map(|line| Line::styled(format!(" {line}"), style)));
    };
    match &screen.secret {
        Secret::Unconfirmed => {
            let login = screen.login.as_ref().map_or_else(
                || "it has no login yet".to_owned(),
                |login| {
                    let issued = format::timestamp(login.issued_at);
                    let age = format::age(login.issued_at, state.now);
                    format!("its login {} was issued at {issued} UTC, {age} ago", login.role)
                },
            );
            say(&format!("{}: {login}.", screen.slug), Theme::text());
            say("", Theme::text());
            say(
                "! A new secret ends the old one at once: an application that still uses it cannot log in.",
                theme.warning(),
            );
            say("ctrl-s sets a new secret and shows it once; esc leaves everything as it is.", Theme::text());
        }
        Secret::Asked(_) => say("◐ asking the daemon for a secret …", theme.busy()),
        Secret::Refused(error) => {
            say(&format!("✗ {}", error.message), theme.bad());
            say("ctrl-s tries again; esc goes back.", Theme::text());
        }
        Secret::Shown(credentials) => {
            frame.render_widget(
                ratatui::widgets::Paragraph::new(shown(theme, credentials, columns, area.height)),
                area,
            );
            return;
        }
    }
    super::lines(frame, area, lines);
}

/// What matters comes first, so that a small screen still has it.
fn shown(theme: Theme, credentials: &Credentials, columns: usize, rows: u16) -> Vec<Line<'static>> {
    let fact = |name: &str, value: &str| {
        Line::from(vec![
            Span::styled(format!(" {}", cell(name, 10)), Theme::dim()),
            Span::raw(value.to_owned()),
        ])
    };
    let Some(password) = &credentials.password else {
        return vec![
            fact("role", &credentials.role),
            Line::styled(" ! its secret was given before; esc, then c sets a new one", theme.warning()),
        ];
    };
    let mut lines = vec![
        Line::styled(" ! shown this once, and stored nowhere", theme.warning()),
        fact("role", &credentials.role),
        fact("password", password),
        fact("host", &credentials.host),
        fact("port", &credentials.port.to_string()),
        fact("database", &credentials.database),
    ];
    if rows > 10 {
        lines.push(Line::default());
    }
    lines.extend(
        wrap(&format::url(credentials, password), columns)
            .into_iter()
            .map(|line| Line::raw(format!(" {line}"))),
    );
    lines
}
