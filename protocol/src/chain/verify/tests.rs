//! The verifier on small trails: how much each claim and key proves. Tampering at every place of a long trail is in
//! `tests/audit`.

#![allow(clippy::unwrap_used)]

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::chain::{BEGINNING, checkpoint};

const TRAIL: Uuid = Uuid::from_u128(42);

#[derive(Clone)]
struct Event {
    seq: i64,
    prev: Link,
    payload: Vec<u8>,
    hash: Link,
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(n: u8) -> PublicKey {
    PublicKey::new(key(n).verifying_key())
}

fn trail(payloads: &[String]) -> Vec<Event> {
    let mut prev = BEGINNING;
    (1..)
        .zip(payloads)
        .map(|(seq, payload)| {
            let payload = payload.clone().into_bytes();
            let event = Event { seq, prev, hash: link(seq, &prev, &payload), payload };
            prev = event.hash;
            event
        })
        .collect()
}

fn ordinary(count: i64) -> Vec<String> {
    (1..=count).map(|n| format!(r#"{{"at_us":{n},"action":"provision","actor_uid":0}}"#)).collect()
}

fn about_the_trail(action: &str, facts: &[(&str, String)]) -> String {
    let facts: std::collections::BTreeMap<_, _> = facts.iter().cloned().collect();
    format!(r#"{{"at_us":1,"action":"{action}","facts":{}}}"#, serde_json::to_string(&facts).unwrap())
}

fn anchor(event: &Event) -> Claim {
    Claim::Anchor { seq: event.seq, hash: event.hash }
}

fn signature(event: &Event, by: u8) -> (String, Vec<u8>) {
    let signature = key(by).sign(&checkpoint(TRAIL, event.seq, &event.hash));
    (public(by).id(), signature.to_bytes().to_vec())
}

fn signed(event: &Event, by: u8) -> Claim {
    let (key, signature) = signature(event, by);
    Claim::Checkpoint { seq: event.seq, hash: event.hash, key, signature }
}

fn head(event: &Event, by: u8) -> Claim {
    let (key, signature) = signature(event, by);
    Claim::Head { seq: event.seq, hash: event.hash, key, signature }
}

fn verify(events: &[Event], claims: Vec<Claim>, trusted: u8, end: i64) -> Verified {
    let mut verifier = Verifier::new(TRAIL, 0, BEGINNING, vec![public(trusted)]);
    let mut claims = claims;
    claims.sort_by_key(Claim::seq);
    for claim in claims {
        verifier.expect(claim);
    }
    for event in events {
        verifier.row(Row {
            seq: event.seq,
            prev_hash: &event.prev,
            payload: &event.payload,
            hash: &event.hash,
        });
    }
    verifier.finish(end)
}

fn broken(verified: &Verified) -> (i64, BreakKind) {
    verified.broken.as_ref().map(|found| (found.seq, found.kind)).unwrap()
}

#[test]
fn a_whole_trail_is_whole_up_to_its_signed_head() {
    let events = trail(&ordinary(9));
    let verified = verify(&events, vec![anchor(&events[3]), head(&events[8], 1)], 1, 9);
    assert_eq!(verified.broken, None);
    assert_eq!((verified.to_seq, verified.signed_to, verified.anchored_to), (9, Some(9), Some(4)));
    assert_eq!(verified.hash, events[8].hash);
}

#[test]
fn a_head_that_the_key_did_not_sign_is_forged() {
    let events = trail(&ordinary(9));
    for claims in [vec![], vec![head(&events[8], 2)]] {
        let with_anchor = [claims.clone(), vec![anchor(&events[5])]].concat();
        assert_eq!(broken(&verify(&events, with_anchor, 1, 9)), (7, BreakKind::Forged));
    }
    // An older head's signature does not cover what was appended.
    let Claim::Head { key, signature, .. } = head(&events[6], 1) else { unreachable!() };
    let moved = Claim::Head { seq: 9, hash: events[8].hash, key, signature };
    assert_eq!(broken(&verify(&events, vec![signed(&events[6], 1), moved], 1, 9)), (8, BreakKind::Forged));
}

#[test]
fn what_is_wrong_with_a_head_is_named_by_one_place_and_told_as_it_is() {
    let events = trail(&ordinary(9));
    let with = |claim: Claim, end: i64| {
        let claims = events.iter().map(anchor).chain([claim]).collect();
        verify(&events, claims, 1, end).broken.unwrap()
    };
    let Claim::Head { seq, hash, key, signature } = head(&events[8], 1) else { unreachable!() };
    let of = |seq, hash, key: &str, signature: &[u8]| Claim::Head {
        seq,
        hash,
        key: key.to_owned(),
        signature: signature.to_vec(),
    };
    let stranger = public(2).id();
    for (claim, end, at, fault) in [
        (of(seq, hash, &key, &[9; 64]), 9, 9, HeadFault::WrongSignature(key.clone())),
        (of(seq, hash, &stranger, &signature), 9, 9, HeadFault::OtherKey(stranger.clone())),
        (of(seq, hash, "", &[]), 9, 9, HeadFault::Unsigned),
        (of(seq, [7; 32], &key, &signature), 9, 9, HeadFault::OtherHash),
        (of(14, hash, &key, &signature), 14, 10, HeadFault::Ahead(14)),
        (head(&events[5], 1), 6, 7, HeadFault::Behind(6)),
    ] {
        let found = with(claim, end);
        assert_eq!((found.seq, found.kind, &found.fault), (at, BreakKind::Forged, &Some(fault)));
        let told = found.sentence();
        let keys = told.matches(&key).count() + told.matches(&stranger).count();
        assert!(keys <= 1, "a sentence names the key that it is about, and no other: {told}");
    }
    // Without a head nothing tells where the trail ends; only the other claims remain.
    for (claims, at) in [(events.iter().map(anchor).collect(), 10), (vec![signed(&events[4], 1)], 6)] {
        let mut verifier = Verifier::new(TRAIL, 0, BEGINNING, vec![public(1)]);
        let claims: Vec<Claim> = claims;
        claims.into_iter().for_each(|claim| verifier.expect(claim));
        for event in &events {
            verifier.row(Row {
                seq: event.seq,
                prev_hash: &event.prev,
                payload: &event.payload,
                hash: &event.hash,
            });
        }
        verifier.accuse_head(HeadFault::Gone);
        let found = verifier.finish(9).broken.unwrap();
        assert_eq!((found.seq, found.kind), (at, BreakKind::Cut));
    }
}

#[test]
fn what_is_known_beyond_the_end_says_that_it_was_cut() {
    let events = trail(&ordinary(9));
    let older = vec![head(&events[5], 1)];
    for known in [anchor(&events[8]), signed(&events[8], 1)] {
        let claims = [older.clone(), vec![known]].concat();
        assert_eq!(broken(&verify(&events[..6], claims, 1, 6)), (7, BreakKind::Cut));
    }
    let only_the_rows = verify(&events[..6], vec![head(&events[8], 1)], 1, 9);
    assert_eq!(broken(&only_the_rows), (7, BreakKind::Cut));
    // A checkpoint with an invalid signature proves no loss; it is itself a forgery.
    let forged = [older, vec![signed(&events[8], 2)]].concat();
    assert_eq!(broken(&verify(&events[..6], forged, 1, 6)), (7, BreakKind::Forged));
}

#[test]
fn a_trail_made_anew_is_caught_by_an_anchor_and_by_a_signature() {
    let events = trail(&ordinary(9));
    let mut other = ordinary(9);
    other[4] = other[4].replace("provision", "rollback");
    let anew = trail(&other);
    for claim in [anchor(&events[6]), signed(&events[6], 1)] {
        let claims = vec![anchor(&events[2]), claim, head(&anew[8], 2)];
        let verified = verify(&anew, claims, 1, 9);
        let found = verified.broken.unwrap();
        assert_eq!((found.seq, found.at_most, found.kind), (4, 7, BreakKind::Rewritten));
    }
}

#[test]
fn a_key_is_followed_through_its_rotation_from_either_end() {
    let mut payloads = ordinary(9);
    payloads[0] = about_the_trail("audit.begin", &[("key", public(1).to_hex())]);
    payloads[4] = about_the_trail("audit.key_change", &[("key", public(2).to_hex())]);
    let events = trail(&payloads);
    let claims = vec![signed(&events[2], 1), signed(&events[4], 1), head(&events[8], 2)];
    for trusted in [1, 2] {
        let verified = verify(&events, claims.clone(), trusted, 9);
        assert_eq!((verified.broken, verified.signed_to), (None, Some(9)), "trusting key {trusted}");
    }
    // Directly after the rotation, the newest signature is the old key's, of the event that names the new key.
    for trusted in [1, 2] {
        let verified = verify(&events[..5], vec![signed(&events[4], 1), head(&events[4], 1)], trusted, 5);
        assert_eq!((verified.broken, verified.signed_to), (None, Some(5)), "trusting key {trusted}");
    }
    assert!(verify(&events[..5], vec![head(&events[4], 3)], 2, 5).broken.is_some());
    // If the beginning of a trail was pruned, the old key is named only in the event that hands over.
    payloads[0] = ordinary(1).remove(0);
    let facts = [("key", public(2).to_hex()), ("previous_key", public(1).to_hex())];
    payloads[4] = about_the_trail("audit.key_change", &facts);
    let pruned = trail(&payloads);
    let handed_over = vec![signed(&pruned[2], 1), signed(&pruned[4], 1), head(&pruned[8], 2)];
    assert_eq!(verify(&pruned, handed_over, 2, 9).broken, None);
    let strange = vec![signed(&pruned[2], 3), signed(&pruned[4], 1), head(&pruned[8], 2)];
    assert_eq!(broken(&verify(&pruned, strange, 2, 9)), (3, BreakKind::Forged));
    // A new key that the old key did not sign is not accepted.
    let unsigned = vec![signed(&events[2], 1), head(&events[8], 2)];
    assert_eq!(broken(&verify(&events, unsigned, 1, 9)), (4, BreakKind::Forged));
    assert!(verify(&events, claims, 3, 9).broken.is_some());
}

#[test]
fn an_acknowledged_loss_settles_what_older_anchors_say() {
    let before = trail(&ordinary(9));
    let mut payloads = ordinary(5);
    payloads.push(about_the_trail("audit.acknowledge", &[("from", "6".into()), ("to", "9".into())]));
    payloads.extend(ordinary(6));
    let events = trail(&payloads);
    let kept = |event: &Event| Claim::Kept { seq: event.seq, hash: event.hash };
    let claims: Vec<Claim> = before.iter().map(kept).chain([head(&events[11], 1)]).collect();
    let verified = verify(&events, claims.clone(), 1, 12);
    assert_eq!(verified.broken, None);
    assert_eq!(verified.acknowledged, [Loss { said_at: 6, from: 6, to: 9 }]);
    // An anchor that the daemon itself has written since is never excused: a second loss is a separate one.
    let again = [claims.clone(), vec![anchor(&events[11])]].concat();
    assert_eq!(broken(&verify(&events[..8], again, 1, 8)), (9, BreakKind::Cut));
    // Events beyond the acknowledged range are not settled.
    payloads[5] = about_the_trail("audit.acknowledge", &[("from", "6".into()), ("to", "8".into())]);
    let events = trail(&payloads);
    let kept = |event: &Event| Claim::Kept { seq: event.seq, hash: event.hash };
    let claims: Vec<Claim> = before.iter().map(kept).chain([head(&events[11], 1)]).collect();
    assert_eq!(broken(&verify(&events, claims, 1, 12)).1, BreakKind::Rewritten);
}

#[test]
fn values_are_held_against_what_the_event_commits_to() {
    let salt = [5; 16];
    let committed = data_encoding::HEXLOWER.encode(&crate::chain::commitment(&salt, "acme"));
    let check_in = |payload: &str, values: &[(&str, &str, &[u8])]| {
        let values = values.iter().map(|(field, value, salt)| (field.as_bytes(), value.as_bytes(), *salt));
        check_values(payload.as_bytes(), values)
    };
    let payload = format!(r#"{{"at_us":1,"action":"provision","commitments":{{"slug":"{committed}"}}}}"#);
    let check = |values: &[(&str, &str, &[u8])]| check_in(&payload, values);
    assert_eq!(check(&[("slug", "acme", &salt)]), ValueCheck::Right { redacted: 0 });
    assert_eq!(check(&[]), ValueCheck::Right { redacted: 1 });
    assert_eq!(check(&[("slug", "globex", &salt)]), ValueCheck::Wrong);
    assert_eq!(check(&[("slug", "acme", &[6; 16])]), ValueCheck::Wrong);
    assert_eq!(check(&[("detail", "acme", &salt)]), ValueCheck::Wrong);
    assert_eq!(check(&[("slug", "acme", &salt), ("slug", "acme", &salt)]), ValueCheck::Wrong);
    // Wherever the object is, and whatever a text contains.
    let moved = format!(r#"{{"commitments":{{"slug":"{committed}"}},"facts":{{"a":"b"}}}}"#);
    assert_eq!(check_in(&moved, &[("slug", "acme", &salt)]), ValueCheck::Right { redacted: 0 });
    let quoted = format!(r#"{{"facts":{{"a":"\"commitments\":{{\"slug\":\"{committed}\"}}}}"}}}}"#);
    assert!(serde_json::from_str::<serde_json::Value>(&quoted).is_ok());
    assert_eq!(check_in(&quoted, &[("slug", "acme", &salt)]), ValueCheck::Wrong);
    assert_eq!(check_in("{}", &[]), ValueCheck::Right { redacted: 0 });
    assert_eq!(check_in("", &[]), ValueCheck::Wrong);
}
