//! The socket: accepting, guarding, and handing requests to the commands.
//!
//! Invariant: nothing a peer sends, and no way in which it goes away, hurts another connection or the daemon.

mod guard;
mod listener;
mod peer;
mod rpc;

pub use listener::{Listener, ListenerError};
