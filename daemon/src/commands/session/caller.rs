//! Who is calling: what the kernel says of the peer, and what the client claims of its origin.

use std::collections::BTreeMap;

/// The peer of a connection. The kernel's word decides; claims are recorded as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    /// All groups of the peer's account.
    pub gids: Vec<u32>,
    /// The account's name; the number where there is no account.
    pub name: String,
    /// Where the client says it comes from.
    pub claimed: BTreeMap<String, String>,
}

impl Caller {
    /// `ops1 (uid 1003)`
    pub fn display(&self) -> String {
        format!("{} (uid {})", self.name, self.uid)
    }

    /// The claims on one line; empty if there are none.
    pub fn claims(&self) -> String {
        self.claimed.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }
}
