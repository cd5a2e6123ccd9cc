//! What identifies an answer.

/// Ties an answer to its question: an answer that nobody waits for any more is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);
