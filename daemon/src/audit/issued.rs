//! The places in the chain that this daemon has made since it took the control database. The head is always one of them.

use std::collections::BTreeMap;

use tenantry_protocol::chain::Link;

use crate::postgres::audit::append::{Head, Signature};

#[derive(Debug, Clone, Default)]
pub(super) struct Issued {
    /// A place has more than one entry after a transaction was rolled back.
    places: BTreeMap<i64, Vec<IssuedPlace>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct IssuedPlace {
    hash: Link,
    signature: Option<Signature>,
}

impl Issued {
    pub(super) fn only(head: &Head) -> Self {
        let place = IssuedPlace { hash: head.hash, signature: head.signature.clone() };
        Self { places: BTreeMap::from([(head.seq, vec![place])]) }
    }

    /// Whether the head is exactly what this daemon wrote.
    pub(super) fn has(&self, head: &Head) -> bool {
        let is_it = |place: &IssuedPlace| place.hash == head.hash && place.signature == head.signature;
        self.places.get(&head.seq).is_some_and(|places| places.iter().any(is_it))
    }

    pub(super) fn add(&mut self, seq: i64, hash: Link, signature: Signature) {
        self.places.entry(seq).or_default().push(IssuedPlace { hash, signature: Some(signature) });
    }

    /// Removes a place that the database never had: no COMMIT was sent for it.
    pub(super) fn take_back(&mut self, seq: i64, hash: Link) {
        if let Some(places) = self.places.get_mut(&seq) {
            places.retain(|place| place.hash != hash);
            if places.is_empty() {
                self.places.remove(&seq);
            }
        }
    }

    /// The place is committed: no place before it can be the head any more.
    pub(super) fn settle(&mut self, seq: i64, hash: Link) {
        self.places = self.places.split_off(&seq);
        if let Some(places) = self.places.get_mut(&seq) {
            places.retain(|place| place.hash == hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn head(seq: i64, hash: u8, signature: u8) -> Head {
        let signature = Some(Signature { key: "k".to_owned(), bytes: vec![signature; 64] });
        Head { trail: Uuid::nil(), seq, hash: [hash; 32], signature }
    }

    #[test]
    fn a_head_is_known_only_as_it_was_written() {
        let mut issued = Issued::only(&head(4, 4, 4));
        for (seq, hash, bytes) in [(5, 50, 50), (5, 51, 51), (6, 60, 60)] {
            issued.add(seq, [hash; 32], Signature { key: "k".to_owned(), bytes: vec![bytes; 64] });
        }
        // Until one of them is committed, any of them can be the head.
        assert!([head(4, 4, 4), head(5, 50, 50), head(5, 51, 51)].iter().all(|head| issued.has(head)));
        let unsigned = Head { signature: None, ..head(4, 4, 4) };
        assert!([head(4, 4, 9), head(4, 9, 4), head(7, 4, 4), unsigned].iter().all(|head| !issued.has(head)));
        issued.add(6, [61; 32], Signature { key: "k".to_owned(), bytes: vec![61; 64] });
        issued.take_back(6, [61; 32]);
        issued.take_back(7, [70; 32]);
        assert!(!issued.has(&head(6, 61, 61)) && issued.has(&head(6, 60, 60)));
        issued.settle(5, [51; 32]);
        assert!([head(4, 4, 4), head(5, 50, 50)].iter().all(|head| !issued.has(head)));
        assert!([head(5, 51, 51), head(6, 60, 60)].iter().all(|head| issued.has(head)));
    }
}
