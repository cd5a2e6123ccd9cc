//! Which key does what on which screen. The hints at the bottom and the help are made from this, so they cannot lie.
//!
//! Invariant: a binding whose condition does not hold neither works nor is shown.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tenantry_protocol::operation::OperationState;

use super::state::operation::{CredentialsState, offers_credentials};
use super::state::rollback::Button;
use super::state::tenants::{Typing, can_roll_back};
use super::state::wizard::{Confirmation, Step};
use super::state::{Answer, Overlay, Screen, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    Suspend,
    Help,
    Back,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Open,
    New,
    Rollback,
    Filter,
    Audit,
    LastOperation,
    Reload,
    NextField,
    PreviousField,
    NextChoice,
    PreviousChoice,
    Continue,
    Approve,
    ToggleSql,
    Credentials,
    Copy,
    Retry,
    Press,
}

/// One line of the keymap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    keys: &'static [Key],
    /// How the keys are written for people.
    pub(crate) shown: &'static str,
    /// What they do, in a few words.
    pub(crate) hint: &'static str,
    pub(crate) action: Action,
    /// Shown at the bottom of the screen; the others are in the help only.
    pub(crate) prominence: Prominence,
    condition: fn(&State) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prominence {
    Hint,
    HelpOnly,
}

type Key = (KeyCode, KeyModifiers);

const fn plain(c: char) -> Key {
    (KeyCode::Char(c), KeyModifiers::NONE)
}

const fn ctrl(c: char) -> Key {
    (KeyCode::Char(c), KeyModifiers::CONTROL)
}

const fn key(code: KeyCode) -> Key {
    (code, KeyModifiers::NONE)
}

const fn hint(keys: &'static [Key], shown: &'static str, hint: &'static str, action: Action) -> Binding {
    Binding { keys, shown, hint, action, prominence: Prominence::Hint, condition: always }
}

impl Binding {
    const fn when(mut self, condition: fn(&State) -> bool) -> Self {
        self.condition = condition;
        self
    }

    const fn quiet(mut self) -> Self {
        self.prominence = Prominence::HelpOnly;
        self
    }
}

const fn always(_: &State) -> bool {
    true
}

const UP: Binding = hint(&[key(KeyCode::Up), plain('k')], "↑ k", "up", Action::Up).quiet();
const DOWN: Binding = hint(&[key(KeyCode::Down), plain('j')], "↓ j", "down", Action::Down).quiet();
const PAGE_UP: Binding =
    hint(&[key(KeyCode::PageUp), ctrl('b')], "pgup ctrl-b", "page up", Action::PageUp).quiet();
const PAGE_DOWN: Binding =
    hint(&[key(KeyCode::PageDown), ctrl('f')], "pgdn ctrl-f", "page down", Action::PageDown).quiet();
const HOME: Binding = hint(&[key(KeyCode::Home), plain('g')], "home g", "first", Action::Home).quiet();
const END: Binding = hint(&[key(KeyCode::End), plain('G')], "end G", "last", Action::End).quiet();
const BACK: Binding = hint(&[key(KeyCode::Esc)], "esc", "back", Action::Back);
const BACK_Q: Binding = hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back);
const HELP: Binding = hint(&[plain('?'), key(KeyCode::F(1))], "?", "help", Action::Help);
const HELP_F1: Binding = hint(&[key(KeyCode::F(1))], "f1", "help", Action::Help);

/// These work everywhere.
const EVERYWHERE: &[Binding] = &[
    hint(&[ctrl('c')], "ctrl-c", "quit", Action::Quit).quiet(),
    hint(&[ctrl('z')], "ctrl-z", "suspend", Action::Suspend).quiet(),
];

const TENANTS: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "open", Action::Open).when(has_selection),
    hint(&[plain('n')], "n", "new", Action::New),
    hint(&[plain('/')], "/", "filter", Action::Filter),
    hint(&[plain('o')], "o", "operation", Action::LastOperation).when(selection_has_operation),
    hint(&[plain('a')], "a", "audit", Action::Audit),
    hint(&[plain('R')], "R", "rollback", Action::Rollback).when(selection_can_roll_back),
    HELP,
    hint(&[key(KeyCode::Esc)], "esc", "clear the filter", Action::Back).when(is_filtered),
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    hint(&[plain('q')], "q", "quit", Action::Quit),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const FILTER: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "keep the filter", Action::Continue),
    hint(&[key(KeyCode::Esc)], "esc", "clear it", Action::Back),
    hint(&[key(KeyCode::Up)], "↑", "up", Action::Up),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down),
    HELP_F1,
];

const TENANT: &[Binding] = &[
    hint(&[plain('o'), key(KeyCode::Enter)], "o", "operation", Action::LastOperation)
        .when(tenant_has_operation),
    hint(&[plain('R')], "R", "rollback", Action::Rollback).when(selection_can_roll_back),
    hint(&[plain('a')], "a", "audit", Action::Audit),
    BACK_Q,
    HELP,
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
];

const FORM: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "continue", Action::Continue),
    hint(&[key(KeyCode::Tab), key(KeyCode::Down)], "tab ↓", "next field", Action::NextField),
    hint(&[key(KeyCode::BackTab), key(KeyCode::Up)], "↑", "previous", Action::PreviousField),
    hint(&[key(KeyCode::Right), plain(' '), plain('l')], "← →", "choose", Action::NextChoice).when(is_choice),
    hint(&[key(KeyCode::Left), plain('h')], "←", "choose backwards", Action::PreviousChoice)
        .when(is_choice)
        .quiet(),
    BACK,
    HELP_F1,
];

const PLAN: &[Binding] = &[
    hint(&[ctrl('s')], "ctrl-s", "approve and run", Action::Approve).when(can_approve),
    hint(&[plain('s'), plain(' ')], "s", "show or fold SQL", Action::ToggleSql).when(has_plan),
    hint(&[plain('r')], "r", "plan again", Action::Reload).when(can_replan),
    BACK,
    HELP,
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const OPERATION: &[Binding] = &[
    hint(&[plain('c')], "c", "credentials (once)", Action::Credentials).when(can_ask_credentials),
    hint(&[plain('r')], "r", "edit and retry", Action::Retry).when(can_retry),
    hint(&[key(KeyCode::Enter)], "enter", "tenant", Action::Open).when(is_over),
    hint(&[plain('y')], "y", "copy the error", Action::Copy).when(has_failure),
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "leave it running", Action::Back).when(is_running),
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back).when(is_over),
    HELP,
];

const CREDENTIALS: &[Binding] = &[
    hint(&[plain('y')], "y", "copy the URL", Action::Copy),
    hint(&[key(KeyCode::Esc)], "esc", "close; it is not shown again", Action::Back),
];

const ROLLBACK: &[Binding] = &[
    hint(&[key(KeyCode::Tab), key(KeyCode::BackTab)], "tab", "other button", Action::NextField)
        .when(rollback_named),
    hint(&[key(KeyCode::Enter)], "enter", "press Cancel", Action::Press).when(focus_on_cancel),
    hint(&[key(KeyCode::Enter)], "enter", "press Roll back", Action::Press).when(focus_on_roll_back),
    hint(&[key(KeyCode::Esc)], "esc", "cancel", Action::Back),
    HELP_F1,
];

const AUDIT: &[Binding] = &[
    BACK_Q,
    hint(&[plain('r')], "r", "reload", Action::Reload),
    HELP,
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const HELP_OPEN: &[Binding] = &[
    hint(&[key(KeyCode::Esc), plain('q'), plain('?'), key(KeyCode::F(1))], "esc", "close", Action::Back),
    UP,
    DOWN,
];

/// Where keys go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Tenants,
    Filter,
    Tenant,
    Form,
    Plan,
    Operation,
    Credentials,
    Rollback,
    Audit,
    Help,
}

/// Where keys go on the screen itself, whatever lies over it.
pub(crate) fn screen_mode(state: &State) -> Mode {
    match state.screen() {
        Screen::Tenants if state.tenants.typing == Typing::Filter => Mode::Filter,
        Screen::Tenants => Mode::Tenants,
        Screen::Tenant(_) => Mode::Tenant,
        Screen::Wizard(wizard) if wizard.step == Step::Confirmation => Mode::Plan,
        Screen::Wizard(_) => Mode::Form,
        Screen::Operation(screen) if matches!(screen.credentials, CredentialsState::Shown(_)) => {
            Mode::Credentials
        }
        Screen::Operation(_) => Mode::Operation,
        Screen::Rollback(_) => Mode::Rollback,
        Screen::Audit(_) => Mode::Audit,
    }
}

pub(crate) fn mode(state: &State) -> Mode {
    match state.overlay {
        Overlay::Help { .. } => Mode::Help,
        Overlay::None => screen_mode(state),
    }
}

const fn table(mode: Mode) -> &'static [Binding] {
    match mode {
        Mode::Tenants => TENANTS,
        Mode::Filter => FILTER,
        Mode::Tenant => TENANT,
        Mode::Form => FORM,
        Mode::Plan => PLAN,
        Mode::Operation => OPERATION,
        Mode::Credentials => CREDENTIALS,
        Mode::Rollback => ROLLBACK,
        Mode::Audit => AUDIT,
        Mode::Help => HELP_OPEN,
    }
}

/// The bindings that work in this mode now.
pub(crate) fn bindings(state: &State, mode: Mode) -> impl Iterator<Item = &'static Binding> {
    table(mode).iter().chain(EVERYWHERE).filter(|binding| (binding.condition)(state))
}

/// What a key does now; `None` for one that is text, or nothing.
pub(crate) fn resolve(state: &State, event: &KeyEvent) -> Option<Action> {
    // Shift is part of the character; terminals differ in whether they report it as well.
    let modifiers = event.modifiers - KeyModifiers::SHIFT;
    bindings(state, mode(state))
        .find(|binding| binding.keys.contains(&(event.code, modifiers)))
        .map(|binding| binding.action)
}

fn has_selection(state: &State) -> bool {
    state.tenants.selected().is_some()
}

fn selection_has_operation(state: &State) -> bool {
    state.tenants.selected().is_some_and(|tenant| tenant.last_operation.is_some())
}

fn tenant_has_operation(state: &State) -> bool {
    match state.screen() {
        Screen::Tenant(screen) => {
            matches!(&screen.detail, Answer::Given(detail) if !detail.operations.is_empty())
        }
        _ => false,
    }
}

fn selection_can_roll_back(state: &State) -> bool {
    let tenant = match state.screen() {
        Screen::Tenants => state.tenants.selected(),
        Screen::Tenant(screen) => state.tenants.get(screen.id),
        _ => None,
    };
    tenant.is_some_and(|tenant| can_roll_back(&tenant.state))
}

fn is_filtered(state: &State) -> bool {
    !state.tenants.filter.value().is_empty()
}

fn is_choice(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard) if wizard.is_choice())
}

fn can_approve(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard)
        if matches!(&wizard.confirmation, Confirmation::Planned { plan, .. }
            if super::state::wizard::is_runnable(plan)))
}

fn has_plan(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard) if wizard.plan().is_some())
}

fn can_replan(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard)
        if matches!(wizard.confirmation, Confirmation::NotPlanned | Confirmation::Planned { .. }))
}

fn operation_state(state: &State) -> Option<&OperationState> {
    match state.screen() {
        Screen::Operation(screen) => state.live(screen).map(|live| &live.operation.state),
        _ => None,
    }
}

fn is_over(state: &State) -> bool {
    operation_state(state).is_some_and(OperationState::is_final)
}

fn is_running(state: &State) -> bool {
    !is_over(state)
}

fn has_failure(state: &State) -> bool {
    operation_state(state).is_some_and(|state| state.failure().is_some())
}

fn can_ask_credentials(state: &State) -> bool {
    match state.screen() {
        Screen::Operation(screen) => {
            !matches!(screen.credentials, CredentialsState::Asked(_) | CredentialsState::Shown(_))
                && state.live(screen).is_some_and(|live| offers_credentials(&live.operation))
        }
        _ => false,
    }
}

fn can_retry(state: &State) -> bool {
    match state.screen() {
        Screen::Operation(screen) => screen.draft.is_some() && has_failure(state) && is_over(state),
        _ => false,
    }
}

fn rollback_button(state: &State) -> Option<Button> {
    match state.screen() {
        Screen::Rollback(dialog) if !dialog.is_sent() => Some(dialog.focus),
        _ => None,
    }
}

fn focus_on_cancel(state: &State) -> bool {
    rollback_button(state) == Some(Button::Cancel)
}

fn focus_on_roll_back(state: &State) -> bool {
    rollback_button(state) == Some(Button::RollBack)
}

fn rollback_named(state: &State) -> bool {
    matches!(state.screen(), Screen::Rollback(dialog) if dialog.is_named() && !dialog.is_sent())
}
