//! What every connection has to do with: who calls, what they may, how the daemon is, and what happens.

pub(super) mod access;
pub(super) mod caller;
pub(super) mod denials;
pub(super) mod health;
pub(super) mod hello;
pub(super) mod watch;
