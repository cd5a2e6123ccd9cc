//! What callers see: the wire protocol, the documents of `--json`, exit statuses, and who may call what.

pub(crate) mod access;
mod any_language;
mod bad_input;
mod bad_requests;
mod documents;
mod golden;
