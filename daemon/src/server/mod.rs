//! The socket: accepting, guarding, and handing requests to the commands.
//!
//! Invariant: nothing that a peer sends, and no way in which it disconnects, harms another connection or the daemon.

mod guard;
mod listener;
mod peer;
mod rpc;

pub use listener::{Listener, ListenerError};
