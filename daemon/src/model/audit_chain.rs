//! An event before it has its place in the chain, and the bytes that it is stored as.
//!
//! The layout is a contract: fields may be added, but a change of an existing field needs a new domain string. Links and
//! signatures are defined in [`tenantry_protocol::chain`].

use std::collections::BTreeMap;

use serde::Serialize;
use tenantry_protocol::brief::{self, LONGEST_VALUE};
use tenantry_protocol::chain;
use tenantry_protocol::session::Role;
use uuid::Uuid;

/// An event to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub action: &'static str,
    pub actor: Actor,
    pub tenant_id: Option<Uuid>,
    /// The tenant's name; the payload only commits to it.
    pub slug: Option<String>,
    pub operation_id: Option<Uuid>,
    pub outcome: Option<Outcome>,
    pub duration_ms: Option<f64>,
    /// SHA-256 of the request.
    pub request: Option<chain::Link>,
    /// Facts of the action that name nobody: a grade, a hash, a count.
    pub facts: BTreeMap<&'static str, String>,
    /// Free text: what was requested, or why it failed. The payload only commits to it.
    pub detail: Option<String>,
}

/// Who caused the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The uid that the kernel reports; the daemon itself uses its own uid.
    pub uid: u32,
    /// For example `ops1 (uid 1003)`; the payload only commits to it.
    pub name: String,
    pub role: Option<Role>,
    /// Where the client claims to come from; the payload only commits to it.
    pub claimed: Option<String>,
}

impl Actor {
    /// The daemon as the actor.
    pub fn daemon(uid: u32) -> Self {
        Self { uid, name: "tenantryd".to_owned(), role: None, claimed: None }
    }

    /// The actor as a recorded operation names it; with `own_uid` if that name contains no uid.
    pub fn on_record(name: &str, own_uid: u32) -> Self {
        let uid = name.rsplit_once("(uid ").and_then(|(_, rest)| rest.strip_suffix(')')?.parse().ok());
        Self { uid: uid.unwrap_or(own_uid), name: name.to_owned(), role: None, claimed: None }
    }
}

impl Entry {
    /// An event whose optional fields are still empty.
    pub fn new(action: &'static str, actor: Actor) -> Self {
        Self {
            action,
            actor,
            tenant_id: None,
            slug: None,
            operation_id: None,
            outcome: None,
            duration_ms: None,
            request: None,
            facts: BTreeMap::new(),
            detail: None,
        }
    }

    pub fn fact(mut self, name: &'static str, value: impl ToString) -> Self {
        self.facts.insert(name, value.to_string());
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    Denied,
}

/// A value that the payload only commits to, with the salt that makes the commitment impossible to guess.
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
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    facts: &'a BTreeMap<&'static str, String>,
    /// The database's number of the transaction that writes the entry.
    xid: &'a str,
    commitments: BTreeMap<&'a str, String>,
}

/// When and in which transaction an entry is written.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Microseconds since 1970, UTC.
    pub at_us: i64,
    pub xid: &'a str,
}

/// Fixes an entry's bytes, with a fresh salt for each personal value.
pub fn seal(
    entry: &Entry,
    moment: Moment<'_>,
    mut salt: impl FnMut() -> [u8; 16],
) -> Result<Sealed, serde_json::Error> {
    let actor = &entry.actor;
    let personal = [
        ("actor", Some(&actor.name)),
        ("claimed", actor.claimed.as_ref()),
        ("slug", entry.slug.as_ref()),
        ("detail", entry.detail.as_ref()),
    ];
    // The value is kept forever. Its author should have kept it short; this limit makes sure.
    let bounded = |value: &String| brief::cut(value, LONGEST_VALUE);
    let details: Vec<Detail> = personal
        .into_iter()
        .filter_map(|(field, value)| Some(Detail { field, value: bounded(value?), salt: salt() }))
        .collect();
    let hex = |link: chain::Link| data_encoding::HEXLOWER.encode(&link);
    let payload = Payload {
        at_us: moment.at_us,
        action: entry.action,
        actor_uid: actor.uid,
        role: actor.role,
        tenant_id: entry.tenant_id,
        operation_id: entry.operation_id,
        outcome: entry.outcome,
        duration_us: entry.duration_ms.map(|ms| (ms * 1_000.0).max(0.0) as u64),
        request: entry.request.map(hex),
        facts: &entry.facts,
        xid: moment.xid,
        commitments: details.iter().map(|d| (d.field, hex(chain::commitment(&d.salt, &d.value)))).collect(),
    };
    Ok(Sealed { payload: serde_json::to_vec(&payload)?, details })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_asked_is_read_back_from_the_record() {
        assert_eq!(Actor::on_record("ops1 (uid 1003)", 7).uid, 1003);
        assert_eq!(Actor::on_record("tenantryd", 7).uid, 7);
        assert_eq!(Actor::on_record("odd (uid x)", 7).uid, 7);
    }

    #[test]
    fn a_payload_is_canonical_and_names_nobody() {
        let actor = Actor {
            uid: 1003,
            name: "ops1".into(),
            role: Some(Role::Operator),
            claimed: Some("SSH_CONNECTION=10.1.2.3".into()),
        };
        let entry = Entry {
            slug: Some("acme".into()),
            outcome: Some(Outcome::Ok),
            duration_ms: Some(1.5),
            ..Entry::new("provision", actor).fact("grade", "A")
        };
        let sealed = seal(&entry, Moment { at_us: 7, xid: "812" }, || [1; 16]).unwrap();
        let text = String::from_utf8(sealed.payload).unwrap();
        assert!(
            text.starts_with(
                r#"{"at_us":7,"action":"provision","actor_uid":1003,"role":"operator","outcome":"ok","duration_us":1500,"facts":{"grade":"A"},"xid":"812","commitments":{"actor":""#
            ),
            "{text}"
        );
        assert!(!text.contains("acme") && !text.contains("ops1") && !text.contains("10.1.2.3"));
        assert_eq!(sealed.details.len(), 3);
    }
}
