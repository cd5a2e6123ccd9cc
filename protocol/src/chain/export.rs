//! The lines of a verifiable export. A contract.
//!
//! JSON, one object a line: a header; then the events in the order of `seq`, each checkpoint after its event; then the
//! end. Without a filter the events are a chain without gaps, which anybody can follow. With a filter, each event shows
//! its own link, and the signature of the end vouches that none is missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::AuditFilter;

/// The version of these lines.
pub const EXPORT_VERSION: u32 = 1;

/// Hashes, keys and signatures are in hexadecimal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportLine {
    Header(Box<Header>),
    Event(EventLine),
    Checkpoint(Signed),
    End(End),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub version: u32,
    pub trail: Uuid,
    /// The point that the first event follows: 0 and zeros, or the last pruned event, with its signature.
    pub from: Point,
    /// The newest event when the export began, as it was signed.
    pub head: Signed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<AuditFilter>,
    /// RFC 3339.
    pub made_at: String,
    pub made_by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    pub seq: i64,
    pub hash: String,
}

/// A place in the chain with the signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub seq: i64,
    pub hash: String,
    /// The id of the key.
    pub key: String,
    pub signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    pub seq: i64,
    pub prev_hash: String,
    pub hash: String,
    /// The exact bytes that are hashed.
    pub payload: String,
    /// The values that the payload commits to, except those that were redacted.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    pub value: String,
    /// 16 bytes in hexadecimal.
    pub salt: String,
}

/// The last line, which tells a complete export from one that was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub events: u64,
    /// Digest of all bytes before this line.
    pub sha256: String,
    pub key: String,
    pub signature: String,
}
