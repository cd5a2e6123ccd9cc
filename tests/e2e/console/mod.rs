//! The console on a real pseudo terminal.

mod audit;
mod isolation;
mod lists;
mod pictures;
pub(crate) mod screens;
mod upgrades;
