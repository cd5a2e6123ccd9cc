//! Which key does what on which screen. Hints, help and palette are generated from this, so they cannot be wrong.
//!
//! Invariant: a binding whose condition does not hold neither works nor is shown. No binding that removes something is on a
//! plain Enter.

mod audit;
mod common;
mod tables;
mod upgrades;
mod when;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::Action;
use super::state::tenants::Typing;
use super::state::upgrades::CancelQuestion;
use super::state::wizard::Step;
use super::state::{Overlay, Screen, State};

/// One line of the keymap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    keys: &'static [Key],
    /// How the keys are shown to people.
    pub(crate) shown: &'static str,
    /// What they do, in a few words.
    pub(crate) hint: &'static str,
    pub(crate) action: Action,
    /// Whether it is shown at the bottom of the screen or only in the help.
    pub(crate) prominence: Prominence,
    condition: fn(&State) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prominence {
    Hint,
    HelpOnly,
}

pub(crate) type Key = (KeyCode, KeyModifiers);

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
    Binding { keys, shown, hint, action, prominence: Prominence::Hint, condition: when::always }
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

    #[cfg(test)]
    pub(crate) const fn keys(&self) -> &'static [Key] {
        self.keys
    }

    /// Whether it only moves about on the screen; the palette leaves such bindings out.
    pub(crate) const fn is_movement(&self) -> bool {
        matches!(
            self.action,
            Action::Up
                | Action::Down
                | Action::PageUp
                | Action::PageDown
                | Action::Home
                | Action::End
                | Action::NextField
                | Action::PreviousField
                | Action::NextChoice
                | Action::PreviousChoice
                | Action::Palette
        )
    }
}

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
    Bulk,
    Operations,
    Audit,
    AuditFilter,
    Record,
    Export,
    Exporting,
    Isolation,
    IsolationFilter,
    Fleet,
    Upgrades,
    Upgrade,
    UpgradeCancel,
    UpgradePlan,
    Help,
    Palette,
}

impl Mode {
    /// The screen's name, for the help.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Filter | Self::AuditFilter | Self::IsolationFilter => "filter",
            Self::Tenant => "tenant",
            Self::Form => "new tenant",
            Self::Plan => "confirmation",
            Self::Operation => "operation",
            Self::Credentials => "credentials",
            Self::Rollback | Self::Bulk => "rollback",
            Self::Operations => "operations",
            Self::Audit => "audit",
            Self::Record => "record",
            Self::Export | Self::Exporting => "export",
            Self::Isolation => "isolation",
            Self::Fleet => "isolation of all",
            Self::Upgrades => "upgrades",
            Self::Upgrade => "upgrade",
            Self::UpgradePlan => "plan of an upgrade",
            Self::UpgradeCancel => "cancel an upgrade",
            Self::Help => "help",
            Self::Palette => "commands",
        }
    }
}

/// Where keys go on the screen itself, whatever lies over it.
pub(crate) fn screen_mode(state: &State) -> Mode {
    match state.screen() {
        Screen::Tenants if state.tenants.typing == Typing::Filter => Mode::Filter,
        Screen::Tenants => Mode::Tenants,
        Screen::Tenant(_) => Mode::Tenant,
        Screen::Wizard(wizard) if wizard.step == Step::Confirmation => Mode::Plan,
        Screen::Wizard(_) => Mode::Form,
        Screen::Operation(_) => Mode::Operation,
        Screen::Credentials(_) => Mode::Credentials,
        Screen::Rollback(_) => Mode::Rollback,
        Screen::Bulk(_) => Mode::Bulk,
        Screen::Operations(_) => Mode::Operations,
        Screen::Audit(screen) if screen.typing == Typing::Filter => Mode::AuditFilter,
        Screen::Audit(_) => Mode::Audit,
        Screen::Record(_) => Mode::Record,
        Screen::Export(_) if state.exporting.is_some() => Mode::Exporting,
        Screen::Export(_) => Mode::Export,
        Screen::Isolation(screen) if screen.typing == Typing::Filter => Mode::IsolationFilter,
        Screen::Isolation(_) => Mode::Isolation,
        Screen::Fleet(_) => Mode::Fleet,
        Screen::Upgrades(_) => Mode::Upgrades,
        Screen::Upgrade(screen) if screen.asking == CancelQuestion::Asked => Mode::UpgradeCancel,
        Screen::Upgrade(_) => Mode::Upgrade,
        Screen::UpgradePlan(_) => Mode::UpgradePlan,
    }
}

pub(crate) fn mode(state: &State) -> Mode {
    match state.overlay {
        Overlay::Help { .. } => Mode::Help,
        Overlay::Palette(_) => Mode::Palette,
        Overlay::None => screen_mode(state),
    }
}

/// The bindings that work in this mode now.
pub(crate) fn bindings(state: &State, mode: Mode) -> impl Iterator<Item = &'static Binding> {
    tables::table(mode).iter().chain(tables::EVERYWHERE).filter(|binding| (binding.condition)(state))
}

/// What a key does now; `None` if it is text, or does nothing.
pub(crate) fn resolve(state: &State, event: &KeyEvent) -> Option<Action> {
    // Shift is part of the character; terminals differ in whether they also report it.
    let modifiers = event.modifiers - KeyModifiers::SHIFT;
    bindings(state, mode(state))
        .find(|binding| binding.keys.contains(&(event.code, modifiers)))
        .map(|binding| binding.action)
}
