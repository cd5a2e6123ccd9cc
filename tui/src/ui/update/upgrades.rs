//! Upgrades of many tenants: what their keys do, and what the daemon says of them.
//!
//! Invariant: what is done to an upgrade names it by its id. Only the newest read of an upgrade changes its screen.

use tenantry_protocol::ApiError;
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::upgrade::{Upgrade, UpgradeState, UpgradeStatus};
use time::OffsetDateTime;

use super::upgrade_plan;
use crate::ui::action::{Action, Hand};
use crate::ui::event::Effect;
use crate::ui::state::upgrades::{CancelQuestion, UpgradeScreen, UpgradesScreen, waits_for_somebody};
use crate::ui::state::{Answer, Screen, State};
use crate::ui::ticket::Ticket;

pub(super) fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::OpenUpgrade => open(state),
        Action::PlanUpgrade => upgrade_plan::open(state),
        Action::RehearseUpgrade => upgrade_plan::rehearse(state),
        Action::CancelUpgrade => ask(state),
        Action::Steer(hand) => steer(state, hand),
        _ => Vec::new(),
    }
}

/// Opens the list, from any screen.
pub(super) fn list(state: &mut State) -> Vec<Effect> {
    if !matches!(state.screen(), Screen::Upgrades(_)) {
        state.screens.push(Screen::Upgrades(UpgradesScreen::new()));
    }
    vec![Effect::LoadUpgrades]
}

/// Opens the upgrade that is selected.
fn open(state: &mut State) -> Vec<Effect> {
    let Some(id) = state.upgrade_at_hand().map(|upgrade| upgrade.id) else { return Vec::new() };
    let ticket = state.ticket();
    state.screens.push(Screen::Upgrade(Box::new(UpgradeScreen::new(id, ticket))));
    vec![Effect::LoadUpgrade { ticket, id }]
}

/// Reads what is on the screen again.
pub(super) fn read(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    match state.screens.last_mut() {
        Some(Screen::Upgrades(_)) => vec![Effect::LoadUpgrades],
        Some(Screen::Upgrade(screen)) => {
            screen.asked = ticket;
            vec![Effect::LoadUpgrade { ticket, id: screen.id }]
        }
        _ => Vec::new(),
    }
}

/// Asks whether the upgrade is meant to be cancelled. Keys that were typed before are not an answer.
fn ask(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Upgrade(screen)) = state.screens.last_mut() else { return Vec::new() };
    screen.asking = CancelQuestion::Asked;
    vec![Effect::DropInput]
}

fn steer(state: &mut State, hand: Hand) -> Vec<Effect> {
    let Some(id) = state.upgrade_at_hand().map(|upgrade| upgrade.id) else { return Vec::new() };
    if let Some(Screen::Upgrade(screen)) = state.screens.last_mut() {
        screen.asking = CancelQuestion::No;
    }
    vec![Effect::Steer { id, hand }]
}

/// Moves the selection by rows. On the newest upgrade it follows the newest, and on the most frequent failure that one.
pub(super) fn select(state: &mut State, by: isize) {
    match state.screen() {
        Screen::Upgrades(screen) => {
            let row = moved(screen.selected_row(state), by, state.upgrades.len());
            let there = state.upgrades.newest_first().nth(row).map(|followed| followed.upgrade.id);
            if let Some(Screen::Upgrades(screen)) = state.screens.last_mut() {
                screen.selection = there.filter(|_| row > 0);
            }
        }
        Screen::Upgrade(screen) => {
            let row = moved(screen.selected_row(), by, screen.failures().len());
            let there = screen.failures().get(row).map(|group| group.key.clone());
            if let Some(Screen::Upgrade(screen)) = state.screens.last_mut() {
                screen.selection = there.filter(|_| row > 0);
            }
        }
        _ => {}
    }
}

fn moved(row: usize, by: isize, rows: usize) -> usize {
    row.saturating_add_signed(by).min(rows.saturating_sub(1))
}

/// An event says how an upgrade is now. Its failures are read again when there are others.
pub(super) fn announced(state: &mut State, upgrade: Upgrade, at: OffsetDateTime) -> Vec<Effect> {
    let id = upgrade.id;
    let before = state.upgrades.get(id).map(|followed| &followed.upgrade);
    let is_other = before.is_none_or(|before| {
        (before.state.name(), before.counts.bad()) != (upgrade.state.name(), upgrade.counts.bad())
    });
    let ran =
        before.is_none_or(|before| matches!(before.state, UpgradeState::Rehearsing | UpgradeState::Running));
    let is_shown = matches!(state.screen(), Screen::Upgrade(screen) if screen.id == id);
    if ran && !state.screen().shows_upgrades() {
        state.notice = told(&upgrade).or(state.notice.take());
        state.dirty |= state.notice.is_some();
    }
    let mut effects = Vec::new();
    if state.tenants.newest(&upgrade.blueprint).is_none_or(|newest| newest < upgrade.version) {
        effects.push(Effect::LoadBlueprints);
    }
    state.upgrades.put(upgrade, Some(at));
    state.dirty |= state.screen().shows_upgrades();
    if is_shown && is_other {
        effects.extend(read(state));
    }
    effects
}

/// What an operator on another screen should know.
fn told(upgrade: &Upgrade) -> Option<String> {
    let what = upgrade.destination();
    match &upgrade.state {
        UpgradeState::Paused { by, .. } if waits_for_somebody(&upgrade.state) => {
            Some(format!("! the upgrade to {what} is paused ({}): u on the list of tenants", by.name()))
        }
        UpgradeState::Partial => {
            let bad = upgrade.counts.bad();
            Some(format!("✗ the upgrade to {what} ended, {bad} not upgraded: u on the list of tenants"))
        }
        UpgradeState::Succeeded => Some(format!("✓ all tenants of {what} are upgraded")),
        _ => None,
    }
}

pub(super) fn listed(state: &mut State, result: Result<Vec<Upgrade>, ApiError>) {
    let read = result.map(|upgrades| {
        upgrades.into_iter().for_each(|upgrade| state.upgrades.put(upgrade, None));
    });
    if let Some(Screen::Upgrades(screen)) = state.screens.last_mut()
        && (read.is_ok() || !matches!(screen.read, Answer::Given(())))
    {
        screen.read = read.into();
    }
}

pub(super) fn status(state: &mut State, ticket: Ticket, result: Result<Box<UpgradeStatus>, ApiError>) {
    let Some(Screen::Upgrade(screen)) = state.screens.last_mut() else { return };
    if screen.asked != ticket {
        return;
    }
    match result {
        Ok(status) => {
            screen.failures = Answer::Given(status.failures);
            state.upgrades.put(status.upgrade, None);
        }
        Err(error) if !matches!(screen.failures, Answer::Given(_)) => {
            screen.failures = Answer::Refused(error)
        }
        // What is on the screen is older, but still better than an error in its place.
        Err(error) => state.notice = Some(error.message),
    }
}

pub(super) fn steered(state: &mut State, hand: Hand, result: Result<Box<Upgrade>, ApiError>) -> Vec<Effect> {
    let upgrade = match result {
        Ok(upgrade) => *upgrade,
        Err(error) => {
            state.notice = Some(error.message);
            return Vec::new();
        }
    };
    let what = upgrade.destination();
    state.notice = Some(match hand {
        Hand::Pause => format!("the upgrade to {what} is paused; tenants that run end by themselves"),
        Hand::Resume => format!("the upgrade to {what} goes on"),
        Hand::Cancel => format!("the upgrade to {what} is cancelled; what is done stays"),
        Hand::Retry => format!("the tenants that failed to reach {what} are tried again"),
    });
    let id: UpgradeId = upgrade.id;
    // The next events may be there already; their state is later than this answer.
    if state.upgrades.get(id).is_none() {
        state.upgrades.put(upgrade, None);
    }
    read(state)
}
