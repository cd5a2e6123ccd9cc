//! The audit trail: reading, export, verification, retention, and the key that signs it.

pub(super) mod export;
pub(super) mod exports;
pub(super) mod key;
pub(super) mod page;
pub(super) mod redact;
pub(super) mod repeats;
pub(super) mod request_filter;
pub(super) mod retention;
pub(super) mod verify;
