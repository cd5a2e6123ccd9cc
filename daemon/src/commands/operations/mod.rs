//! Operations: shown, cancelled, and retried.

pub(super) mod cancel;
pub(super) mod list;
pub(super) mod retry;
pub(super) mod show;
