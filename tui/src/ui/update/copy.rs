//! What is copied to the terminal's clipboard.
//! Only what is on the screen, and no secret except the one that is shown there to be copied.

use tenantry_protocol::operation::Failure;

use crate::format;
use crate::ui::action::Action;
use crate::ui::event::Effect;
use crate::ui::state::credentials::Secret;
use crate::ui::state::{Screen, State};

pub(super) fn copy(state: &mut State, action: Action) -> Vec<Effect> {
    let text = match state.screen() {
        Screen::Credentials(screen) => match &screen.secret {
            Secret::Shown(credentials) if action == Action::CopyPassword => credentials.password.clone(),
            Secret::Shown(credentials) => {
                credentials.password.as_ref().map(|password| format::url(credentials, password))
            }
            _ => None,
        },
        Screen::Operation(screen) => {
            state.live(screen).and_then(|live| live.operation.state.failure().map(Failure::summary))
        }
        Screen::Isolation(screen) if action == Action::CopyJson => {
            screen.report().and_then(|report| serde_json::to_string_pretty(report).ok())
        }
        Screen::Isolation(screen) => screen.text(state.now),
        Screen::Operations(screen) => {
            screen.selected(state).and_then(|live| live.operation.state.failure().map(Failure::summary))
        }
        Screen::Upgrade(screen) => {
            screen.selected().map(|group| format!("{}: {}: {}", group.example, group.key, group.reason))
        }
        Screen::Audit(screen) => screen.selected().map(format::audit_event),
        Screen::Record(screen) => Some(screen.text()),
        Screen::Tenants if state.tenants.marks() > 0 => {
            let names: Vec<&str> = state.tenants.marked().map(|tenant| tenant.slug.as_str()).collect();
            Some(names.join("\n"))
        }
        Screen::Tenants => state.tenants.selected().map(|tenant| tenant.slug.to_string()),
        _ => None,
    };
    let Some(text) = text else { return Vec::new() };
    state.notice = Some("sent to your terminal's clipboard (if it allows that)".to_owned());
    vec![Effect::Copy(text)]
}
