//! What keys do. The keymap has decided that an action applies now; here it is carried out.
//!
//! Invariant: the only way to remove a tenant is `Press` on "Roll back" with the name typed in full.

use crossterm::event::{Event as TerminalEvent, KeyEvent};
use tenantry_protocol::operation::Failure;
use tenantry_protocol::tenant::{RollbackRequest, Tenant};
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

use super::{list_rows, wizard};
use crate::format;
use crate::text;
use crate::ui::event::Effect;
use crate::ui::keymap::{self, Action, Mode};
use crate::ui::state::operation::{CredentialsState, OperationScreen};
use crate::ui::state::rollback::{Asking, Button, RollbackDialog};
use crate::ui::state::tenants::Typing;
use crate::ui::state::wizard::{Confirmation, Sql, Step};
use crate::ui::state::{Answer, AuditScreen, Overlay, Screen, State, TenantScreen, plan_text};

/// Characters that a field takes at most; more than any name or label needs.
const MAX_INPUT: usize = 400;

pub(super) fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Help => state.overlay = Overlay::Help { top: 0 },
        Action::Back => return back(state),
        Action::Up => scroll(state, -1),
        Action::Down => scroll(state, 1),
        Action::PageUp => scroll(state, -(list_rows(state) as isize)),
        Action::PageDown => scroll(state, list_rows(state) as isize),
        Action::Home => scroll(state, isize::MIN / 2),
        Action::End => scroll(state, isize::MAX / 2),
        Action::Open => return open_tenant(state),
        Action::New => wizard::open(state),
        Action::Rollback => return open_rollback(state),
        Action::Filter => state.tenants.typing = Typing::Filter,
        Action::Audit => {
            state.screens.push(Screen::Audit(AuditScreen { events: Answer::Awaited, selected: 0 }));
            return vec![Effect::LoadAudit];
        }
        Action::LastOperation => return open_operation(state),
        Action::Reload => return reload(state),
        Action::NextField => next_field(state, 1),
        Action::PreviousField => next_field(state, -1),
        Action::NextChoice => wizard::choose(state, 1),
        Action::PreviousChoice => wizard::choose(state, -1),
        Action::Continue if keymap::mode(state) == Mode::Filter => state.tenants.typing = Typing::No,
        Action::Continue => return wizard::go_on(state),
        Action::Approve => return wizard::approve(state),
        Action::ToggleSql => {
            if let Some(Screen::Wizard(wizard)) = state.screens.last_mut() {
                wizard.sql = if wizard.sql == Sql::Shown { Sql::Folded } else { Sql::Shown };
                wizard.top = 0;
            }
        }
        Action::Credentials => return ask_credentials(state),
        Action::Copy => return copy(state),
        Action::Retry => retry(state),
        Action::Press => return press(state),
    }
    Vec::new()
}

/// A key that is bound to nothing: text for the field that has the focus, if there is one.
pub(super) fn type_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if let Some(request) = to_input_request(&TerminalEvent::Key(key)) {
        edit(state, request);
    }
    Vec::new()
}

/// Pasted text goes to the field character by character, without what could hide in it.
pub(super) fn paste(state: &mut State, pasted: &str) -> Vec<Effect> {
    for c in text::line(pasted.trim()).chars().take(MAX_INPUT) {
        edit(state, InputRequest::InsertChar(c));
    }
    Vec::new()
}

fn edit(state: &mut State, request: InputRequest) {
    let mode = keymap::mode(state);
    let input = match (mode, state.screens.last_mut()) {
        (Mode::Filter, _) => Some(&mut state.tenants.filter),
        (Mode::Form, Some(Screen::Wizard(wizard))) => wizard.focused_input(),
        (Mode::Rollback, Some(Screen::Rollback(dialog))) if !dialog.is_sent() => Some(&mut dialog.typed),
        _ => None,
    };
    let Some(input) = input else { return };
    let inserts = matches!(request, InputRequest::InsertChar(_));
    let hostile = matches!(request, InputRequest::InsertChar(c) if text::is_hostile(c));
    if hostile || (inserts && input.value().chars().count() >= MAX_INPUT) {
        return;
    }
    let changed = input.handle(request).is_some_and(|change| change.value);
    if !changed {
        return;
    }
    match (mode, state.screens.last_mut()) {
        (Mode::Filter, _) => {
            state.tenants.filter_changed();
        }
        (_, Some(Screen::Wizard(wizard))) => wizard.edited(),
        // Any change takes the focus back to where nothing can happen.
        (_, Some(Screen::Rollback(dialog))) => dialog.focus = Button::Cancel,
        _ => {}
    }
}

fn back(state: &mut State) -> Vec<Effect> {
    if state.overlay != Overlay::None {
        state.overlay = Overlay::None;
        return Vec::new();
    }
    match state.screens.last_mut() {
        Some(Screen::Wizard(_)) => {
            wizard::go_back(state);
            return Vec::new();
        }
        Some(Screen::Operation(screen)) if matches!(screen.credentials, CredentialsState::Shown(_)) => {
            screen.credentials = CredentialsState::Closed;
            return Vec::new();
        }
        _ => {}
    }
    if state.screens.len() > 1 {
        state.screens.pop();
        // What is below may have changed while it was covered.
        return if matches!(state.screen(), Screen::Tenants) { Vec::new() } else { reload(state) };
    }
    state.tenants.typing = Typing::No;
    state.tenants.filter.reset();
    state.tenants.refilter();
    let page = list_rows(state);
    state.tenants.keep_in_view(page);
    Vec::new()
}

fn scroll(state: &mut State, by: isize) {
    let page = list_rows(state);
    if let Overlay::Help { top } = &mut state.overlay {
        *top = top.saturating_add_signed(by.clamp(-100, 100) as i16);
        return;
    }
    match state.screens.last_mut() {
        Some(Screen::Tenants) => {
            let row = state.tenants.selected_row().unwrap_or(0).saturating_add_signed(by);
            state.tenants.select_row(row, page);
        }
        Some(Screen::Tenant(screen)) => {
            screen.top = screen.top.saturating_add_signed(by.clamp(-10_000, 10_000) as i16).min(500);
        }
        Some(Screen::Wizard(wizard)) if wizard.step == Step::Confirmation => {
            let lines = wizard.plan().map_or(0, |plan| plan_text::lines(plan, wizard.sql).len());
            wizard.top = wizard.top.saturating_add_signed(by).min(lines.saturating_sub(page));
        }
        Some(Screen::Audit(screen)) => {
            if let Answer::Given(events) = &screen.events {
                let last = events.len().saturating_sub(1);
                screen.selected = screen.selected.saturating_add_signed(by).min(last);
            }
        }
        _ => {}
    }
}

fn next_field(state: &mut State, by: isize) {
    match state.screens.last_mut() {
        Some(Screen::Rollback(dialog)) if dialog.is_named() => {
            dialog.focus = if dialog.focus == Button::Cancel { Button::RollBack } else { Button::Cancel };
        }
        Some(Screen::Wizard(_)) => wizard::move_focus(state, by),
        _ => {}
    }
}

/// The tenant that the screen is about.
fn tenant_at_hand(state: &State) -> Option<Tenant> {
    match state.screen() {
        Screen::Tenants => state.tenants.selected().cloned(),
        Screen::Tenant(screen) => state.tenants.get(screen.id).cloned(),
        _ => None,
    }
}

fn open_tenant(state: &mut State) -> Vec<Effect> {
    let found = match state.screen() {
        Screen::Operation(screen) => {
            state.live(screen).map(|live| (live.operation.tenant_id, live.operation.slug.clone()))
        }
        _ => tenant_at_hand(state).map(|tenant| (tenant.id, tenant.slug)),
    };
    let Some((id, slug)) = found else { return Vec::new() };
    // From an operation one goes to its tenant, and from there back to the list.
    state.screens.truncate(1);
    state.screens.push(Screen::Tenant(Box::new(TenantScreen { id, slug, detail: Answer::Awaited, top: 0 })));
    vec![Effect::LoadDetail(id.to_string())]
}

fn open_operation(state: &mut State) -> Vec<Effect> {
    let id = match state.screen() {
        Screen::Tenant(screen) => match &screen.detail {
            Answer::Given(detail) => detail.operations.first().map(|operation| operation.id),
            _ => None,
        },
        _ => tenant_at_hand(state).and_then(|tenant| tenant.last_operation).map(|last| last.id),
    };
    let Some(id) = id else { return Vec::new() };
    state.screens.push(Screen::Operation(Box::new(OperationScreen::new(id, None))));
    vec![Effect::LoadOperation(id)]
}

fn open_rollback(state: &mut State) -> Vec<Effect> {
    let Some(tenant) = tenant_at_hand(state) else { return Vec::new() };
    state.screens.push(Screen::Rollback(Box::new(RollbackDialog::new(tenant))));
    vec![Effect::DropInput]
}

fn reload(state: &mut State) -> Vec<Effect> {
    match state.screen() {
        Screen::Tenants => vec![Effect::LoadTenants],
        Screen::Tenant(screen) => vec![Effect::LoadDetail(screen.id.to_string())],
        Screen::Audit(_) => vec![Effect::LoadAudit],
        Screen::Wizard(_) => wizard::plan_again(state),
        Screen::Operation(_) | Screen::Rollback(_) => Vec::new(),
    }
}

fn ask_credentials(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let slug = match state.screen() {
        Screen::Operation(screen) => state.live(screen).map(|live| live.operation.slug.to_string()),
        _ => None,
    };
    match (slug, state.screens.last_mut()) {
        (Some(slug), Some(Screen::Operation(screen))) => {
            screen.credentials = CredentialsState::Asked(ticket);
            vec![Effect::IssueCredentials { ticket, slug }]
        }
        _ => Vec::new(),
    }
}

fn copy(state: &mut State) -> Vec<Effect> {
    let text = match state.screen() {
        Screen::Operation(screen) => match &screen.credentials {
            CredentialsState::Shown(credentials) => {
                credentials.password.as_ref().map(|password| format::url(credentials, password))
            }
            _ => state.live(screen).and_then(|live| live.operation.state.failure().map(Failure::summary)),
        },
        _ => None,
    };
    let Some(text) = text else { return Vec::new() };
    state.notice = Some("sent to your terminal's clipboard (if it allows that)".to_owned());
    vec![Effect::Copy(text)]
}

/// Back to the draft of a failed provision, with all its input.
fn retry(state: &mut State) {
    let Some(Screen::Operation(screen)) = state.screens.pop() else { return };
    if let Some(mut draft) = screen.draft {
        draft.step = Step::Configuration;
        draft.focus = crate::ui::state::wizard::Field::Blueprint;
        draft.confirmation = Confirmation::NotPlanned;
        draft.refusal = None;
        state.draft = Some(draft);
    }
    wizard::open(state);
}

fn press(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::Rollback(dialog)) = state.screens.last_mut() else { return Vec::new() };
    if dialog.focus == Button::Cancel {
        state.screens.pop();
        return Vec::new();
    }
    if !dialog.is_named() {
        dialog.focus = Button::Cancel;
        return Vec::new();
    }
    dialog.progress = Asking::Sent(ticket);
    let request = RollbackRequest {
        slug: dialog.tenant.slug.to_string(),
        confirm: dialog.typed.value().to_owned(),
        discard_data: true,
        idempotency_key: None,
    };
    vec![Effect::Rollback { ticket, request }]
}
