//! The console: `update(&mut State, Event) -> Vec<Effect>` and `view(&State, &mut Frame)`, joined by the runner.
//!
//! Invariant: only `runner`, `link` and `terminal` have outside effects; state, update, keymap and view are pure. The first
//! paint waits for nothing: being connected is a state like any other.

mod action;
mod commands;
mod event;
mod fit;
mod keymap;
mod link;
mod runner;
mod state;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
mod ticket;
mod update;
mod view;

pub(crate) use runner::run;

/// Why the console could not be shown, or had to end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UiError {
    #[error("its size or mode cannot be set ({0}); use a command, for example `tenantry tenant list`")]
    Enter(#[source] std::io::Error),
    #[error("drawing failed ({0})")]
    Draw(#[source] std::io::Error),
    #[error("signals cannot be received ({0})")]
    Signals(#[source] std::io::Error),
}
