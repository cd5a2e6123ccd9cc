//! The audit chain's arithmetic: canonical payloads, salted commitments, links.
//!
//! Pure, so that appending, verifying online and verifying an export use the same few lines. The layout is a contract:
//! a change needs a new domain string.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const DOMAIN: &[u8] = b"tenantry.audit.v1\0";

/// A SHA-256 link of the chain.
pub type Link = [u8; 32];

/// What is to be recorded, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub action: &'static str,
    /// Who the kernel says it was; the daemon itself has its own uid.
    pub actor_uid: u32,
    /// The actor's name; stands in the payload as a commitment.
    pub actor: String,
    pub tenant_id: Option<Uuid>,
    /// The tenant's name; stands in the payload as a commitment.
    pub slug: Option<String>,
    pub operation_id: Option<Uuid>,
    pub outcome: Option<Outcome>,
    pub duration_ms: Option<f64>,
    /// Free text: what was asked or why it failed; stands in the payload as a commitment.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    Denied,
}

/// A value that the payload only commits to, with the salt that makes the commitment unguessable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub field: &'static str,
    pub value: String,
    pub salt: [u8; 16],
}

/// An entry in its final form: the bytes that are hashed, and the values kept beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    pub payload: Vec<u8>,
    pub details: Vec<Detail>,
}

/// Field order is the canonical order; absent values are left out.
#[derive(Serialize)]
struct Payload<'a> {
    at_us: i64,
    action: &'a str,
    actor_uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    commitments: BTreeMap<&'a str, String>,
}

/// Fixes an entry's bytes at the time `at_us` (microseconds since 1970, UTC), with a fresh salt for each personal value.
pub fn seal(
    entry: &Entry,
    at_us: i64,
    mut salt: impl FnMut() -> [u8; 16],
) -> Result<Sealed, serde_json::Error> {
    let personal =
        [("actor", Some(&entry.actor)), ("slug", entry.slug.as_ref()), ("detail", entry.detail.as_ref())];
    let details: Vec<Detail> = personal
        .into_iter()
        .filter_map(|(field, value)| Some(Detail { field, value: value?.clone(), salt: salt() }))
        .collect();
    let payload = Payload {
        at_us,
        action: entry.action,
        actor_uid: entry.actor_uid,
        tenant_id: entry.tenant_id,
        operation_id: entry.operation_id,
        outcome: entry.outcome,
        duration_us: entry.duration_ms.map(|ms| (ms * 1_000.0).max(0.0) as u64),
        commitments: details.iter().map(|d| (d.field, commitment(&d.salt, &d.value))).collect(),
    };
    Ok(Sealed { payload: serde_json::to_vec(&payload)?, details })
}

/// SHA-256 over salt and value, in hexadecimal.
pub fn commitment(salt: &[u8; 16], value: &str) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(value.as_bytes()).finalize();
    data_encoding::HEXLOWER.encode(&digest)
}

/// The hash of the event at `seq` that follows the one with hash `prev`.
pub fn link(seq: i64, prev: &Link, payload: &[u8]) -> Link {
    Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(seq.to_be_bytes())
        .chain_update(prev)
        .chain_update((payload.len() as u64).to_be_bytes())
        .chain_update(payload)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry() -> Entry {
        Entry {
            action: "provision",
            actor_uid: 1003,
            actor: "ops1".into(),
            tenant_id: None,
            slug: Some("acme".into()),
            operation_id: None,
            outcome: Some(Outcome::Ok),
            duration_ms: Some(1.5),
            detail: None,
        }
    }

    #[test]
    fn a_payload_is_canonical_and_names_nobody() {
        let sealed = seal(&entry(), 7, || [1; 16]).unwrap();
        let text = String::from_utf8(sealed.payload).unwrap();
        assert!(
            text.starts_with(
                r#"{"at_us":7,"action":"provision","actor_uid":1003,"outcome":"ok","duration_us":1500,"#
            ),
            "{text}"
        );
        assert!(!text.contains("acme") && !text.contains("ops1"));
        assert_eq!(sealed.details.len(), 2);
    }

    #[test]
    fn every_input_of_a_link_changes_it() {
        let link_of = |seq, prev: u8, payload: &str| link(seq, &[prev; 32], payload.as_bytes());
        let base = link_of(1, 0, "a");
        assert_eq!(base, link_of(1, 0, "a"));
        for other in [link_of(2, 0, "a"), link_of(1, 1, "a"), link_of(1, 0, "b"), link_of(1, 0, "aa")] {
            assert_ne!(base, other);
        }
    }
}
