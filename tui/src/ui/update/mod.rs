//! What an event does to the state. Pure: the effects it asks for are returned, not performed.
//!
//! Invariant: nothing here waits, reads a clock or writes; the same events give the same state.

mod action;
mod audit;
mod bulk;
mod copy;
mod daemon;
mod export;
mod open;
mod palette;
mod scroll;
mod upgrade_plan;
mod upgrades;
mod verify;
mod wizard;

#[cfg(test)]
mod tests;

use super::event::{Effect, Event};
use super::keymap;
use super::state::{Connection, Overlay, State};
use super::ticket::Ticket;

pub(crate) fn update(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) => {
            state.dirty = true;
            state.notice = None;
            match keymap::resolve(state, &key) {
                Some(action) => action::perform(state, action),
                None => action::type_key(state, key),
            }
        }
        Event::Paste(text) => {
            state.dirty = true;
            action::paste(state, &text)
        }
        Event::Resize(columns, rows) => {
            state.size = (columns, rows);
            let page = list_rows(state);
            state.tenants.keep_in_view(page);
            state.dirty = true;
            Vec::new()
        }
        Event::Tick(now) => {
            state.now = now;
            state.dirty |= shows_time(state);
            Vec::new()
        }
        Event::Terminate => vec![Effect::Quit],
        other => daemon::happened(state, other),
    }
}

/// Rows of the tenants table on the screen: the body without the header and the line above it.
pub(crate) fn list_rows(state: &State) -> usize {
    state.body_rows().saturating_sub(2).max(1)
}

/// Lines of the help: one for each key.
fn help_rows(state: &State) -> usize {
    keymap::bindings(state, keymap::screen_mode(state)).count()
}

/// Whether ages or elapsed times are on the screen.
fn shows_time(state: &State) -> bool {
    matches!(state.overlay, Overlay::None)
        && (matches!(state.connection, Connection::Lost { .. }) || state.screen().shows_time())
}

/// Requests an operation without a dialog; its screen opens when the daemon has accepted it.
fn begin(state: &mut State, effect: impl FnOnce(Ticket, &State) -> Option<Effect>) -> Vec<Effect> {
    let ticket = state.ticket();
    let effect = effect(ticket, state);
    state.beginning = effect.is_some().then_some(ticket);
    effect.into_iter().collect()
}
