//! An event as it is read back. Everything comes from the bytes that are hashed; the values beside them are used only if
//! those bytes commit to them.
//!
//! Nothing here fails: an event that was altered is shown as far as it can be read, and marked.

use std::collections::BTreeMap;

use serde::Deserialize;
use tenantry_protocol::audit::AuditEvent;
use tenantry_protocol::chain;
use time::OffsetDateTime;
use uuid::Uuid;

/// The text in place of a redacted name.
const REDACTED: &str = "(redacted)";

/// An event's row with the values that are stored beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub seq: i64,
    pub prev_hash: Vec<u8>,
    pub payload: Vec<u8>,
    pub hash: Vec<u8>,
    pub values: Vec<StoredValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    pub field: String,
    pub value: String,
    pub salt: Vec<u8>,
}

/// A payload of this or an earlier version; fields that a later version adds are ignored.
#[derive(Default, Deserialize)]
struct ReadPayload {
    #[serde(default)]
    at_us: i64,
    #[serde(default)]
    action: String,
    actor_uid: Option<u32>,
    role: Option<String>,
    tenant_id: Option<Uuid>,
    operation_id: Option<Uuid>,
    outcome: Option<String>,
    duration_us: Option<u64>,
    request: Option<String>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    #[serde(default)]
    commitments: BTreeMap<String, String>,
}

/// The event, with its link and its values checked.
pub fn read(stored: &StoredEvent) -> AuditEvent {
    let (payload, is_readable) = match serde_json::from_slice::<ReadPayload>(&stored.payload) {
        Ok(payload) => (payload, true),
        Err(_) => (ReadPayload { action: "(unreadable)".to_owned(), ..ReadPayload::default() }, false),
    };
    let (values, are_committed) = committed(&payload, &stored.values);
    let value = |field: &str| values.get(field).map(|value| (*value).to_owned());
    let redacted: Vec<String> =
        payload.commitments.keys().filter(|field| !values.contains_key(field.as_str())).cloned().collect();
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(payload.at_us) * 1_000);
    AuditEvent {
        seq: stored.seq,
        at: at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        actor: value("actor").unwrap_or_else(|| REDACTED.to_owned()),
        actor_uid: payload.actor_uid,
        role: payload.role,
        claimed: value("claimed"),
        slug: value("slug"),
        detail: value("detail"),
        redacted,
        intact: is_readable && at.is_ok() && are_committed && is_linked(stored),
        action: payload.action,
        tenant_id: payload.tenant_id.map(|id| id.to_string()),
        operation_id: payload.operation_id.map(|id| id.to_string()),
        outcome: payload.outcome,
        duration_ms: payload.duration_us.map(|us| us as f64 / 1_000.0),
        request: payload.request,
        facts: payload.facts,
        prev_hash: data_encoding::HEXLOWER.encode(&stored.prev_hash),
        hash: data_encoding::HEXLOWER.encode(&stored.hash),
    }
}

/// Whether the hash follows from the row.
fn is_linked(stored: &StoredEvent) -> bool {
    chain::Link::try_from(stored.prev_hash.as_slice())
        .is_ok_and(|prev| chain::link(stored.seq, &prev, &stored.payload).as_slice() == stored.hash)
}

/// The values by field, and whether the payload commits to each of them.
fn committed<'a>(payload: &ReadPayload, stored: &'a [StoredValue]) -> (BTreeMap<&'a str, &'a str>, bool) {
    let is_committed = |value: &StoredValue| {
        let commitment = chain::commitment(&value.salt, &value.value);
        payload.commitments.get(&value.field) == Some(&data_encoding::HEXLOWER.encode(&commitment))
    };
    let values = stored.iter().map(|value| (value.field.as_str(), value.value.as_str())).collect();
    (values, stored.iter().all(is_committed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored() -> StoredEvent {
        let values: Vec<StoredValue> = [("actor", "ops1 (uid 1003)"), ("slug", "acme")]
            .map(|(field, value)| StoredValue { field: field.into(), value: value.into(), salt: vec![1; 16] })
            .into();
        let commitments: BTreeMap<&str, String> = values
            .iter()
            .map(|v| {
                (v.field.as_str(), data_encoding::HEXLOWER.encode(&chain::commitment(&v.salt, &v.value)))
            })
            .collect();
        let payload = serde_json::json!({
            "at_us": 1_000_000, "action": "provision", "actor_uid": 1003, "outcome": "ok", "duration_us": 1_500,
            "facts": {"grade": "A"}, "of_a_later_version": [1], "commitments": commitments,
        });
        let payload = payload.to_string().into_bytes();
        StoredEvent {
            seq: 1,
            prev_hash: chain::BEGINNING.to_vec(),
            hash: chain::link(1, &chain::BEGINNING, &payload).to_vec(),
            payload,
            values,
        }
    }

    #[test]
    fn an_event_reads_back_as_it_was_recorded() {
        let event = read(&stored());
        assert_eq!((event.actor.as_str(), event.actor_uid), ("ops1 (uid 1003)", Some(1003)));
        assert_eq!((event.slug.as_deref(), event.outcome.as_deref()), (Some("acme"), Some("ok")));
        assert_eq!((event.at.unix_timestamp(), event.duration_ms), (1, Some(1.5)));
        assert_eq!(event.facts["grade"], "A");
        assert!(event.intact && event.redacted.is_empty(), "{event:?}");
    }

    #[test]
    fn whatever_is_changed_shows() {
        let changes: [fn(&mut StoredEvent); 7] = [
            |event| event.seq = 2,
            |event| event.prev_hash[0] = 1,
            |event| event.prev_hash.truncate(31),
            |event| event.hash[0] ^= 1,
            |event| event.payload = b"nothing".to_vec(),
            |event| event.values[0].value = "ops2 (uid 1004)".into(),
            |event| event.values[0].field = "else".into(),
        ];
        for change in changes {
            let mut event = stored();
            change(&mut event);
            assert!(!read(&event).intact, "{event:?}");
        }
    }

    #[test]
    fn a_value_that_is_gone_is_named_and_breaks_nothing() {
        let mut event = stored();
        event.values.clear();
        let event = read(&event);
        assert_eq!((event.actor.as_str(), event.slug), (REDACTED, None));
        assert_eq!(event.redacted, ["actor", "slug"]);
        assert!(event.intact);
    }
}
