//! The caller: what the kernel says about the peer, and what the client claims about its origin.

use std::collections::BTreeMap;

/// The peer of a connection. Only what the kernel says counts; claims are recorded as claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    /// All groups of the peer's account.
    pub gids: Vec<u32>,
    /// The account's name, or the number if there is no account.
    pub name: String,
    /// Where the client claims to come from.
    pub claimed: BTreeMap<String, String>,
}

impl Caller {
    /// For example `ops1 (uid 1003)`.
    pub fn display(&self) -> String {
        format!("{} (uid {})", self.name, self.uid)
    }

    /// The claims on one line; empty if there are none.
    pub fn claims(&self) -> String {
        self.claimed.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}
