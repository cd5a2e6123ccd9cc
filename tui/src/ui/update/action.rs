//! What keys do. The keymap has decided that an action applies now; it is carried out here.
//!
//! Invariant: the only way to remove tenants is `RollBackNow` in their dialog, with the required text typed in full.

use crossterm::event::{Event as TerminalEvent, KeyEvent};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::tenant::RollbackRequest;
use tui_input::InputRequest;
use tui_input::backend::crossterm::to_input_request;

use super::palette::Chosen;
use super::{
    audit, begin, bulk, copy, export, list_rows, open, palette, scroll, upgrade_plan, upgrades, verify,
    wizard,
};
use crate::text;
use crate::ui::action::Action;
use crate::ui::event::Effect;
use crate::ui::keymap::{self, Mode};
use crate::ui::state::audit::export::ExportField;
use crate::ui::state::bulk::{BulkPhase, BulkRollback};
use crate::ui::state::credentials::Secret;
use crate::ui::state::isolation::Evidence;
use crate::ui::state::rollback::Asking;
use crate::ui::state::tenants::Typing;
use crate::ui::state::upgrades::CancelQuestion;
use crate::ui::state::wizard::Sql;
use crate::ui::state::{Overlay, Screen, State};

/// The most characters that a field takes; more than any name or label needs.
const MAX_INPUT: usize = 400;

pub(super) fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    let at_hand = state.tenant_at_hand().map(|tenant| tenant.id);
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Help => state.overlay = Overlay::Help { top: 0 },
        Action::Palette => palette::open_it(state),
        Action::Back => return back(state),
        Action::Up => return scroll::scroll(state, -1),
        Action::Down => return scroll::scroll(state, 1),
        Action::PageUp => return scroll::scroll(state, -(list_rows(state) as isize)),
        Action::PageDown => return scroll::scroll(state, list_rows(state) as isize),
        Action::Home => return scroll::scroll(state, isize::MIN / 2),
        Action::End => return scroll::scroll(state, isize::MAX / 2),
        Action::Open => return open::tenant_at_hand(state),
        Action::New => wizard::open(state),
        Action::Rollback => return open::rollback(state, at_hand),
        Action::Filter => begin_filter(state),
        Action::Mark => {
            state.tenants.toggle_mark();
            return scroll::scroll(state, 1);
        }
        Action::MarkAll => state.tenants.toggle_all(),
        Action::Sort | Action::Reverse => sort(state, action),
        Action::RollbackMarked => return bulk::open(state),
        Action::Show(place) => return open::place(state, place),
        Action::Audit => return audit::open_here(state),
        Action::Details | Action::Tail | Action::VerifyTrail | Action::Verdict => {
            return audit::perform(state, action);
        }
        Action::Export => return export::open(state),
        Action::StopExport => return export::stop(state),
        Action::LastOperation => return open::operation(state, state.operation_at_hand()),
        Action::Reload => return open::reload(state),
        Action::NextField | Action::PreviousField | Action::NextChoice | Action::PreviousChoice => {
            move_in_form(state, action);
        }
        Action::Continue => return go_on(state),
        Action::Complete => palette::complete(state),
        Action::Approve => return approve(state),
        Action::ToggleSql => toggle_sql(state),
        Action::Credentials => return open::credentials(state, at_hand),
        Action::IssueCredentials => return open::issue_credentials(state),
        Action::Copy | Action::CopyPassword | Action::CopyJson => return copy::copy(state, action),
        Action::Verify | Action::VerifyAll | Action::StopVerifying => return verify::perform(state, action),
        Action::Isolation => return open::isolation(state, at_hand),
        Action::Evidence => show_evidence(state),
        Action::Retry => return open::retry(state),
        Action::RetryAsIs => {
            return begin(state, |ticket, state| {
                Some(Effect::RetryOperation { ticket, id: shown_operation(state)? })
            });
        }
        Action::Cancel => return shown_operation(state).map(Effect::Cancel).into_iter().collect(),
        Action::SuspendTenant => {
            return begin(state, |ticket, _| Some(Effect::SuspendTenant { ticket, id: at_hand? }));
        }
        Action::ResumeTenant => {
            return begin(state, |ticket, _| Some(Effect::ResumeTenant { ticket, id: at_hand? }));
        }
        Action::RollBackNow => return roll_back(state),
        Action::PlanUpgrade
        | Action::RehearseUpgrade
        | Action::OpenUpgrade
        | Action::CancelUpgrade
        | Action::Steer(_) => return upgrades::perform(state, action),
    }
    Vec::new()
}

/// The operation whose screen is shown.
fn shown_operation(state: &State) -> Option<OperationId> {
    match state.screen() {
        Screen::Operation(screen) => Some(screen.id),
        _ => None,
    }
}

/// Enter where it means "go on": never a removal.
fn go_on(state: &mut State) -> Vec<Effect> {
    match keymap::mode(state) {
        Mode::Palette => {
            return match palette::choose(state) {
                Chosen::Action(action) => perform(state, action),
                Chosen::Effects(effects) => effects,
            };
        }
        Mode::Filter => state.tenants.typing = Typing::No,
        Mode::AuditFilter => return audit::search(state),
        Mode::Export => return export::begin(state),
        Mode::IsolationFilter => {
            if let Some(Screen::Isolation(screen)) = state.screens.last_mut() {
                screen.typing = Typing::No;
            }
        }
        Mode::Rollback => return enter_in_rollback(state),
        Mode::Bulk => return enter_in_bulk(state),
        _ => return wizard::go_on(state),
    }
    Vec::new()
}

fn begin_filter(state: &mut State) {
    match state.screens.last_mut() {
        Some(Screen::Audit(screen)) => screen.typing = Typing::Filter,
        Some(Screen::Isolation(screen)) => screen.typing = Typing::Filter,
        _ => state.tenants.typing = Typing::Filter,
    }
}

/// Moves from field to field, or from choice to choice.
fn move_in_form(state: &mut State, action: Action) {
    let by = if matches!(action, Action::NextField | Action::NextChoice) { 1 } else { -1 };
    let fields = matches!(action, Action::NextField | Action::PreviousField);
    match (state.screens.last_mut(), fields) {
        (Some(Screen::Export(screen)), true) => {
            screen.field =
                if screen.field == ExportField::Format { ExportField::Name } else { ExportField::Format };
        }
        (Some(Screen::Export(screen)), false) => screen.choose(by),
        (_, true) => wizard::move_focus(state, by),
        (_, false) => wizard::choose(state, by),
    }
}

/// Cancel has the focus; but a person who typed a name did not mean to discard it.
fn enter_in_rollback(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Rollback(dialog)) = state.screens.last() else { return Vec::new() };
    if dialog.is_sent() {
        return Vec::new();
    }
    if dialog.typed.value().is_empty() {
        return back(state);
    }
    state.notice = Some(if dialog.is_named() {
        "enter removes nothing: ctrl-x rolls it back, esc cancels".to_owned()
    } else {
        format!("that is not its name yet: type {} in full, or esc", dialog.tenant.slug)
    });
    Vec::new()
}

fn enter_in_bulk(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Bulk(bulk)) = state.screens.last() else { return Vec::new() };
    if bulk.typed.value().is_empty() {
        return back(state);
    }
    state.notice = Some(if bulk.is_confirmed() {
        "enter removes nothing: ctrl-x rolls them back, esc cancels".to_owned()
    } else {
        format!("that is not it yet: type {} in full, or esc", bulk.phrase())
    });
    Vec::new()
}

/// Runs the plan on the screen.
fn approve(state: &mut State) -> Vec<Effect> {
    match state.screen() {
        Screen::UpgradePlan(_) => upgrade_plan::approve(state),
        _ => wizard::approve(state),
    }
}

fn toggle_sql(state: &mut State) {
    if let Some(Screen::Wizard(wizard)) = state.screens.last_mut() {
        wizard.sql = if wizard.sql == Sql::Shown { Sql::Folded } else { Sql::Shown };
        wizard.top = 0;
    }
}

/// Shows or hides the server's answers to attacks that were refused.
fn show_evidence(state: &mut State) {
    if let Some(Screen::Isolation(screen)) = state.screens.last_mut() {
        screen.evidence = if screen.evidence == Evidence::Shown { Evidence::Folded } else { Evidence::Shown };
    }
}

/// The selected tenant stays selected and visible, wherever it moves.
fn sort(state: &mut State, action: Action) {
    if action == Action::Sort {
        state.tenants.sort_by_next();
    } else {
        state.tenants.reverse();
    }
    let page = list_rows(state);
    state.tenants.keep_in_view(page);
}

/// A key without a binding: text for the focused field, if there is one.
pub(super) fn type_key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if let Some(request) = to_input_request(&TerminalEvent::Key(key)) {
        edit(state, request);
    }
    Vec::new()
}

/// Pasted text goes to the field character by character, without characters that could hide something in it.
pub(super) fn paste(state: &mut State, pasted: &str) -> Vec<Effect> {
    for c in text::line(pasted.trim()).chars().take(MAX_INPUT) {
        edit(state, InputRequest::InsertChar(c));
    }
    Vec::new()
}

fn edit(state: &mut State, request: InputRequest) {
    let mode = keymap::mode(state);
    let input = match (mode, state.screens.last_mut()) {
        (Mode::Palette, _) => match &mut state.overlay {
            Overlay::Palette(palette) => Some(&mut palette.input),
            _ => None,
        },
        (Mode::Filter, _) => Some(&mut state.tenants.filter),
        (Mode::AuditFilter, Some(Screen::Audit(screen))) => Some(&mut screen.input),
        (Mode::Export, Some(Screen::Export(screen))) if screen.field == ExportField::Name => {
            Some(&mut screen.name)
        }
        (Mode::IsolationFilter, Some(Screen::Isolation(screen))) => Some(&mut screen.filter),
        (Mode::Form, Some(Screen::Wizard(wizard))) => wizard.focused_input(),
        (Mode::Bulk, Some(Screen::Bulk(bulk))) if bulk.phase == BulkPhase::Asking => Some(&mut bulk.typed),
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
        (Mode::Palette, _) => palette::search(state),
        (Mode::Filter, _) => state.tenants.filter_changed(),
        (_, Some(Screen::Wizard(wizard))) => wizard.edited(),
        (_, Some(Screen::Isolation(screen))) => screen.top = 0,
        _ => {}
    }
}

fn back(state: &mut State) -> Vec<Effect> {
    if !matches!(state.overlay, Overlay::None) {
        state.overlay = Overlay::None;
        return Vec::new();
    }
    match state.screens.last_mut() {
        Some(Screen::Wizard(_)) => {
            wizard::go_back(state);
            return Vec::new();
        }
        Some(Screen::Audit(screen)) if screen.typing == Typing::Filter || screen.is_narrowed() => {
            return audit::clear(state);
        }
        Some(Screen::Isolation(screen))
            if screen.typing == Typing::Filter || !screen.filter.value().is_empty() =>
        {
            screen.typing = Typing::No;
            screen.filter.reset();
            return Vec::new();
        }
        Some(Screen::Upgrade(screen)) if screen.asking == CancelQuestion::Asked => {
            screen.asking = CancelQuestion::No;
            return Vec::new();
        }
        Some(Screen::Credentials(screen)) if matches!(screen.secret, Secret::Asked(_)) => {
            let slug = &screen.slug;
            state.notice = Some(format!("{slug} may have a new secret that nobody has seen; c sets another"));
        }
        Some(Screen::Bulk(bulk)) => state.notice = Some(left(bulk)),
        Some(Screen::Export(_)) => {
            state.notice =
                state.exporting.as_ref().map(|_| "the export goes on; e shows how far it is".to_owned());
        }
        Some(Screen::Rollback(dialog)) => {
            let slug = dialog.tenant.slug.clone();
            state.notice = Some(if dialog.is_sent() {
                format!("the rollback of {slug} was asked for already; the list shows what becomes of it")
            } else {
                format!("cancelled: nothing was done to {slug}")
            });
        }
        _ => {}
    }
    if state.screens.len() > 1 {
        // A secret on the screen is gone with it.
        state.screens.pop();
        return if matches!(state.screen(), Screen::Tenants) { Vec::new() } else { open::reload(state) };
    }
    let filtered = state.tenants.typing == Typing::Filter || !state.tenants.filter.value().is_empty();
    if !filtered {
        state.tenants.clear_marks();
        return Vec::new();
    }
    state.tenants.typing = Typing::No;
    state.tenants.filter.reset();
    state.tenants.refilter();
    let page = list_rows(state);
    state.tenants.keep_in_view(page);
    Vec::new()
}

/// What leaving the dialog for several tenants means for them.
fn left(bulk: &BulkRollback) -> String {
    let (all, waiting) = (bulk.parts.len(), bulk.waiting());
    match bulk.phase {
        BulkPhase::Asking => format!("cancelled: nothing was done to these {all} tenants"),
        BulkPhase::Running | BulkPhase::Stopped => {
            format!("{} of {all} were asked for; {waiting} left as before", all - waiting)
        }
        BulkPhase::Done => format!("{} of {all} tenants are rolled back", bulk.done()),
    }
}

fn roll_back(state: &mut State) -> Vec<Effect> {
    if matches!(state.screen(), Screen::Bulk(_)) {
        return bulk::go(state);
    }
    let ticket = state.ticket();
    let Some(Screen::Rollback(dialog)) = state.screens.last_mut() else { return Vec::new() };
    if !dialog.is_named() {
        return Vec::new();
    }
    dialog.progress = Asking::Sent(ticket);
    let request = RollbackRequest {
        // By its id: another tenant of the same name is not meant.
        slug: dialog.tenant.id.to_string(),
        confirm: dialog.typed.value().to_owned(),
        discard_data: false,
        idempotency_key: None,
    };
    vec![Effect::Rollback { ticket, request }]
}
