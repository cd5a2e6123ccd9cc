//! Upgrades of many tenants: what they would do, their start, their control, and the round that carries them on.

pub(super) mod control;
mod lane;
pub(super) mod list;
mod pause;
pub(super) mod plan;
mod progress;
pub(super) mod rehearse;
pub(super) mod round;
pub(super) mod start;
mod unit;
