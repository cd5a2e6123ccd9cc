//! What every connection uses: the caller, its rights, the daemon's health, and events.

pub(super) mod access;
pub(super) mod caller;
pub(super) mod denials;
pub(super) mod health;
pub(super) mod hello;
pub(super) mod watch;
