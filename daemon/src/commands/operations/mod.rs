//! Operations: shown, cancelled, done again, and found again by their idempotency keys.

pub(super) mod cancel;
pub(super) mod idempotency;
pub(super) mod list;
pub(super) mod retry;
pub(super) mod show;
