//! The verifier itself: each class of tampering at every place of a trail of 10,000 events, with an anchor for each event
//! as the daemon writes them, and how many events it reads in a second.

use std::borrow::Cow;
use std::time::Instant;

use ed25519_dalek::{Signer as _, SigningKey};
use tenantry_harness::trail::tamper::Class;
use tenantry_protocol::audit::BreakKind;
use tenantry_protocol::chain::verify::{Claim, Row, ValueCheck, Verifier, check_values};
use tenantry_protocol::chain::{BEGINNING, Link, PublicKey, checkpoint, commitment, link};
use uuid::Uuid;

const EVENTS: i64 = 10_000;
const TRAIL: Uuid = Uuid::from_u128(7);
/// The actor of every event, as the value beside each event says.
const ACTOR: &str = "ops1";
/// The most places that are printed for a class that is not found everywhere.
const TOLD: usize = 5;

#[derive(Clone)]
struct Event<'p> {
    seq: i64,
    prev: Link,
    payload: Cow<'p, [u8]>,
    hash: Link,
}

/// How many tamperings were not found or not named correctly, over all classes; and how many there were.
pub(crate) fn tamper_everywhere(events: Option<i64>) -> (usize, usize) {
    let original = trail(events.unwrap_or(EVENTS));
    let halves = Class::ALL.split_at(Class::ALL.len() / 2);
    let (one, other) = std::thread::scope(|scope| {
        let other =
            scope.spawn(|| halves.1.iter().map(|class| everywhere(*class, &original)).fold((0, 0), sum));
        let one = halves.0.iter().map(|class| everywhere(*class, &original)).fold((0, 0), sum);
        (one, other.join().unwrap())
    });
    sum(sum(one, other), against_a_superuser(&original))
}

/// How many events lie between two signatures in the trail, and between two anchors elsewhere.
const APART: i64 = 1_000;

/// A superuser rewrites everything from an event on, and removes the daemon's own anchors. Without the key, the signatures
/// in the trail show it, up to the newest one; with the key, anchors that were kept elsewhere show it.
fn against_a_superuser(original: &[Event<'_>]) -> (usize, usize) {
    let begin = Instant::now();
    let last = original.len() as i64;
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = PublicKey::new(key.verifying_key());
    let (mut missed, mut places) = ([0; 2], 0);
    // Nothing before the place is touched, and the earlier claims agree: the search starts at the newest of them.
    for at in 1..=last {
        places += 1;
        let rewritten = tampered(Class::Rewrite, original, at);
        let end = rewritten.last().unwrap().hash;
        for has_key in [false, true] {
            let signer = if has_key { key.clone() } else { SigningKey::from_bytes(&[8; 32]) };
            let signature = sign(&signer, last, &end);
            let head = Claim::Head { seq: last, hash: end, key: public.id(), signature };
            let before = original.get(at as usize - 2).map_or(BEGINNING, |event| event.hash);
            let mut verifier = Verifier::new(TRAIL, at - 1, before, vec![public]);
            let mut claims = original[at as usize - 1..]
                .iter()
                .filter(|event| event.seq % APART == 0 || event.seq == last)
                .map(|event| claim_about(event, (!has_key).then_some(&key)))
                .peekable();
            for event in &rewritten {
                while let Some(claim) = claims.next_if(|claim| claim.seq() <= event.seq) {
                    verifier.expect(claim);
                }
                if event.seq == last {
                    verifier.expect(head.clone());
                }
                verifier.row(row(event));
            }
            let found = verifier.finish(last).broken;
            let is_named = found.as_ref().is_some_and(|found| {
                found.kind == BreakKind::Rewritten && found.seq <= at && at <= found.at_most
            });
            if !is_named {
                missed[usize::from(has_key)] += 1;
                if missed[usize::from(has_key)] <= TOLD {
                    println!("  rewritten from event {at}, with the key: {has_key}: {found:?}");
                }
            }
        }
    }
    let [signatures, kept] = missed;
    println!(
        "rewritten without anchors: {places} places, {signatures} missed by signatures; with the key: {places} places, \
         {kept} missed by anchors kept elsewhere; {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    (signatures + kept, 2 * places)
}

fn sum(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

fn everywhere(class: Class, original: &[Event<'_>]) -> (usize, usize) {
    let begin = Instant::now();
    let last = original.len() as i64;
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut prefix = Verifier::new(TRAIL, 0, BEGINNING, vec![PublicKey::new(key.verifying_key())]);
    let (mut missed, mut places) = (0, 0);
    for at in 1..=last {
        if at < last || !class.needs_a_next() {
            places += 1;
            let found = verify(class, prefix.clone(), original, at, &key);
            if found != Some(class.expected(at, last)) {
                missed += 1;
                if missed <= TOLD {
                    println!("  {class:?} at event {at}: {found:?}");
                }
            }
        }
        let event = &original[at as usize - 1];
        prefix.expect(Claim::Anchor { seq: at, hash: event.hash });
        prefix.row(row(event));
    }
    println!("{class:?}: {places} places, {missed} missed, {:.1} s", begin.elapsed().as_secs_f64());
    (missed, places)
}

/// An anchor that was kept elsewhere, or what the key signed in the trail.
fn claim_about(event: &Event<'_>, key: Option<&SigningKey>) -> Claim {
    let (seq, hash) = (event.seq, event.hash);
    match key {
        None => Claim::Kept { seq, hash },
        Some(key) => Claim::Checkpoint {
            seq,
            hash,
            key: PublicKey::new(key.verifying_key()).id(),
            signature: sign(key, seq, &hash),
        },
    }
}

fn verify(
    class: Class,
    mut verifier: Verifier,
    original: &[Event<'_>],
    at: i64,
    key: &SigningKey,
) -> Option<(i64, BreakKind)> {
    let last = original.len() as i64;
    let tampered = tampered(class, original, at);
    let end = tampered.last().map_or(original[..at as usize - 1].last(), Some);
    let (end_seq, end_hash) = end.map_or((0, BEGINNING), |event| (event.seq, event.hash));
    let true_end = original.last().unwrap();
    // What the head holds: the true value if it was left alone, a backup's, or what can be made without the key.
    let (seq, hash, signature) = match class {
        Class::Restore | Class::RewriteAndSign => (end_seq, end_hash, sign(key, end_seq, &end_hash)),
        Class::Rewrite | Class::Insert | Class::Append | Class::RemoveAndRenumber => {
            (end_seq, end_hash, sign(key, last, &true_end.hash))
        }
        Class::ForgeHead => (last, true_end.hash, [9; 64].to_vec()),
        _ => (last, true_end.hash, sign(key, last, &true_end.hash)),
    };
    let head = Claim::Head { seq, hash, key: PublicKey::new(key.verifying_key()).id(), signature };
    let mut anchors = original[at as usize - 1..].iter();
    let mut next = anchors.next();
    for event in &tampered {
        while let Some(anchor) = next.filter(|anchor| anchor.seq <= event.seq) {
            verifier.expect(Claim::Anchor { seq: anchor.seq, hash: anchor.hash });
            next = anchors.next();
        }
        if event.seq == seq {
            verifier.expect(head.clone());
        }
        if (class, event.seq) == (Class::ForgeCheckpoint, at) {
            let (seq, hash, key) = (at, event.hash, PublicKey::new(key.verifying_key()).id());
            verifier.expect(Claim::Checkpoint { seq, hash, key, signature: [9; 64].to_vec() });
        }
        verifier.row(row(event));
        if class == Class::EditValue
            && check(event, if event.seq == at { "ops2" } else { ACTOR }) == ValueCheck::Wrong
        {
            verifier.values_differ(event.seq);
        }
        if verifier.is_decided() {
            break;
        }
    }
    if !verifier.is_decided() {
        if let Some(anchor) = next {
            verifier.expect(Claim::Anchor { seq: anchor.seq, hash: anchor.hash });
        }
        if seq > end_seq {
            verifier.expect(head);
        }
    }
    verifier.finish(seq).broken.map(|found| (found.seq, found.kind))
}

/// Checks the value beside an event against its commitment.
fn check(event: &Event<'_>, actor: &str) -> ValueCheck {
    check_values(&event.payload, [("actor".as_bytes(), actor.as_bytes(), &event.seq.to_be_bytes()[..])])
}

fn sign(key: &SigningKey, seq: i64, hash: &Link) -> Vec<u8> {
    key.sign(&checkpoint(TRAIL, seq, hash)).to_bytes().to_vec()
}

fn row<'e>(event: &'e Event<'_>) -> Row<'e> {
    Row { seq: event.seq, prev_hash: &event.prev, payload: &event.payload, hash: &event.hash }
}

/// The trail from event `at` on, as the tampering leaves it.
fn tampered<'p>(class: Class, original: &'p [Event<'p>], at: i64) -> Vec<Event<'p>> {
    let at = at as usize - 1;
    let mut rest: Vec<Event<'p>> = original[at..].to_vec();
    let far = rest.len() - 1;
    let swap = |rest: &mut Vec<Event<'p>>, other: usize| {
        rest.swap(0, other);
        let seq = rest[0].seq;
        rest[0].seq = rest[other].seq;
        rest[other].seq = seq;
    };
    let bump = |link: &mut Link| link[3] = link[3].wrapping_add(1);
    match class {
        Class::EditPayload => edit(&mut rest[0]),
        Class::EditHash => bump(&mut rest[0].hash),
        Class::EditPrevHash => bump(&mut rest[0].prev),
        Class::EditAndRehash => {
            edit(&mut rest[0]);
            rest[0].hash = link(rest[0].seq, &rest[0].prev, &rest[0].payload);
        }
        Class::Remove => drop(rest.remove(0)),
        Class::RemoveAndRenumber => {
            rest.remove(0);
            rest.iter_mut().for_each(|event| event.seq -= 1);
        }
        Class::SwapNeighbours => swap(&mut rest, 1),
        Class::SwapDistant => swap(&mut rest, far),
        Class::SwapPayloads => {
            let payload = rest[0].payload.clone();
            rest[0].payload = rest[far].payload.clone();
            rest[far].payload = payload;
        }
        Class::Restore | Class::CutOff => rest.clear(),
        Class::Rewrite | Class::RewriteAndSign => {
            edit(&mut rest[0]);
            chain(&mut rest);
        }
        Class::Insert => {
            rest.iter_mut().for_each(|event| event.seq += 1);
            rest.insert(0, forged(&original[at]));
        }
        Class::Append => {
            let last = original.last().unwrap();
            let next =
                Event { seq: last.seq + 1, prev: last.hash, payload: Cow::Borrowed(b"{}"), hash: BEGINNING };
            rest.push(forged(&next));
        }
        // These classes change something beside the events.
        Class::ForgeHead | Class::EditValue | Class::ForgeCheckpoint => {}
    }
    rest
}

fn edit(event: &mut Event<'_>) {
    let digit = &mut event.payload.to_mut()[12];
    *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
}

fn chain(events: &mut [Event<'_>]) {
    let mut prev = events[0].prev;
    for event in events {
        event.prev = prev;
        event.hash = link(event.seq, &prev, &event.payload);
        prev = event.hash;
    }
}

fn forged<'p>(place: &Event<'p>) -> Event<'p> {
    let payload: Cow<'p, [u8]> =
        Cow::Borrowed(br#"{"at_us":1790000000000000,"action":"provision","actor_uid":0}"#);
    Event { seq: place.seq, prev: place.prev, hash: link(place.seq, &place.prev, &payload), payload }
}

/// As long as the daemon's own payloads.
fn payload(seq: i64) -> Vec<u8> {
    let commitment = data_encoding::HEXLOWER.encode(&commitment(&seq.to_be_bytes(), ACTOR));
    format!(
        r#"{{"at_us":{},"action":"provision","actor_uid":1003,"role":"operator","tenant_id":"{}","operation_id":"{}","outcome":"ok","duration_us":31000,"xid":"{seq}","commitments":{{"actor":"{commitment}","slug":"{commitment}"}}}}"#,
        1_790_000_000_000_000 + seq,
        Uuid::from_u128(seq as u128),
        Uuid::from_u128(!seq as u128),
    )
    .into_bytes()
}

fn trail(count: i64) -> Vec<Event<'static>> {
    let mut events: Vec<Event<'static>> = (1..=count)
        .map(|seq| Event { seq, prev: BEGINNING, payload: Cow::Owned(payload(seq)), hash: BEGINNING })
        .collect();
    chain(&mut events);
    events
}

/// How many events one core verifies in a second, without their values.
pub(crate) fn rate() -> f64 {
    let events = trail(100_000);
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut best: f64 = 0.0;
    for _ in 0..5 {
        let mut verifier = Verifier::new(TRAIL, 0, BEGINNING, vec![PublicKey::new(key.verifying_key())]);
        let begin = Instant::now();
        for event in &events {
            verifier.expect(Claim::Anchor { seq: event.seq, hash: event.hash });
            verifier.row(row(event));
        }
        assert_eq!(verifier.finish(events.len() as i64).anchored_to, Some(events.len() as i64));
        best = best.max(events.len() as f64 / begin.elapsed().as_secs_f64());
    }
    best
}
