//! Verifies an export, line by line, without a daemon and without keeping it in memory.
//!
//! Without a filter the events are followed as a chain. With a filter, each event shows its own link, and the signature
//! at the end vouches that none is missing. An export without a proper end was cut.

use std::collections::VecDeque;

use sha2::{Digest as _, Sha256};

use super::{Claim, Loss, Row, ValueCheck, Verifier, check_values};
use crate::audit::{AuditBreak, BreakKind};
use crate::chain::export::{EXPORT_VERSION, End, EventLine, ExportLine, Header, Signed};
use crate::chain::{Link, PublicKey, export_statement, link};

/// Reads the lines of one export.
#[derive(Debug)]
pub struct ExportVerifier {
    key: PublicKey,
    /// From a copy that is kept elsewhere, in the order of `seq`.
    anchors: VecDeque<(i64, Link)>,
    digest: Sha256,
    lines: u64,
    /// Known from the header on.
    body: Option<Body>,
    end: Option<End>,
    found: Option<AuditBreak>,
}

#[derive(Debug)]
struct Body {
    header: Header,
    verifier: Verifier,
    head: Signed,
    last: i64,
    events: u64,
    redacted: u64,
}

/// The result of verifying an export.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportVerdict {
    pub broken: Option<AuditBreak>,
    pub header: Header,
    pub events: u64,
    /// The last event, and its hash.
    pub to_seq: i64,
    pub hash: Link,
    pub signed_to: Option<i64>,
    pub anchored_to: Option<i64>,
    pub redacted: u64,
    pub acknowledged: Vec<Loss>,
}

/// The file cannot be verified at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("it is empty")]
    Empty,
    #[error(
        "its first line is no header of an audit export: only exports in the format jsonl can be verified"
    )]
    NoHeader,
    #[error("it was written by a newer version ({0}); use a newer tenantry")]
    Newer(u32),
}

impl ExportVerifier {
    /// `key` is the public key that is trusted; `anchors` may be empty.
    pub fn new(key: PublicKey, mut anchors: Vec<(i64, Link)>) -> Self {
        anchors.sort_by_key(|(seq, _)| *seq);
        Self {
            key,
            anchors: anchors.into(),
            digest: Sha256::new(),
            lines: 0,
            body: None,
            end: None,
            found: None,
        }
    }

    /// Reads the next line, without its line feed.
    pub fn line(&mut self, text: &str) -> Result<(), ExportError> {
        self.lines += 1;
        let line = serde_json::from_str::<ExportLine>(text);
        let Some(body) = &mut self.body else {
            let Ok(ExportLine::Header(header)) = line else { return Err(ExportError::NoHeader) };
            self.body = Some(Body::new(*header, self.key)?);
            self.digest_line(text);
            return Ok(());
        };
        if self.end.is_some() {
            let at = body.last.saturating_add(1);
            return self.accuse(at, BreakKind::Forged, "there is more after the export's end".to_owned());
        }
        match line {
            Ok(ExportLine::Event(event)) => {
                if let Some((seq, kind, why)) = body.event(&event, &mut self.anchors) {
                    self.accuse(seq, kind, why)?;
                }
            }
            Ok(ExportLine::Checkpoint(signed)) => body.checkpoint(&signed),
            Ok(ExportLine::End(end)) => {
                self.end = Some(end);
                return Ok(());
            }
            Ok(ExportLine::Header(_)) => {
                let at = body.last.saturating_add(1);
                self.accuse(at, BreakKind::Forged, "a second header stands among the events".to_owned())?;
            }
            Err(_) => {
                let (at, why) =
                    (body.last.saturating_add(1), format!("line {} is no line of an export", self.lines));
                self.accuse(at, BreakKind::Edited, why)?;
            }
        }
        self.digest_line(text);
        Ok(())
    }

    fn digest_line(&mut self, text: &str) {
        self.digest.update(text.as_bytes());
        self.digest.update(b"\n");
    }

    fn accuse(&mut self, seq: i64, kind: BreakKind, why: String) -> Result<(), ExportError> {
        self.found.get_or_insert(AuditBreak { seq, kind, message: why });
        Ok(())
    }

    /// Returns the verdict, after the last line.
    pub fn finish(self) -> Result<ExportVerdict, ExportError> {
        let Some(mut body) = self.body else { return Err(ExportError::Empty) };
        // The head is of an event that does not exist: its signature decides whether the end was cut off.
        if body.head.seq > body.last && body.header.filter.is_none() {
            body.verifier.expect(body.head_claim());
        }
        let digest: Link = self.digest.finalize().into();
        let is_filtered = body.header.filter.is_some();
        let next = body.last.saturating_add(1);
        let trusted_at_end = body.trusted();
        let (header, events, redacted, last) = (body.header, body.events, body.redacted, body.last);
        let verified = body.verifier.finish(body.head.seq);
        let broken = self.found.or_else(|| match verified.broken {
            Some(found) if !is_filtered => Some(found.to_wire()),
            _ => end_of(&header, self.end.as_ref(), &digest, &trusted_at_end, (events, next)),
        });
        Ok(ExportVerdict {
            broken,
            events,
            to_seq: last,
            hash: verified.hash,
            signed_to: if is_filtered { None } else { verified.signed_to },
            anchored_to: if is_filtered { None } else { verified.anchored_to },
            redacted,
            acknowledged: verified.acknowledged,
            header,
        })
    }
}

/// Compares the end with the lines before it.
fn end_of(
    header: &Header,
    end: Option<&End>,
    digest: &Link,
    trusted: &[PublicKey],
    (events, next): (u64, i64),
) -> Option<AuditBreak> {
    let found = |kind, message: &str| Some(AuditBreak { seq: next, kind, message: message.to_owned() });
    let Some(end) = end else {
        return found(BreakKind::Cut, "the export has no end: it was cut, or is still being written");
    };
    if end.events != events {
        return found(BreakKind::Removed, "the export's end counts other events than there are");
    }
    if end.sha256 != data_encoding::HEXLOWER.encode(digest) {
        return found(BreakKind::Edited, "the export's lines are not those that its end stands for");
    }
    let statement = export_statement(header.trail, digest);
    let signature = data_encoding::HEXLOWER.decode(end.signature.as_bytes()).unwrap_or_default();
    let is_signed = trusted.iter().any(|key| key.id() == end.key && key.has_signed(&statement, &signature));
    if is_signed {
        return None;
    }
    found(
        BreakKind::Forged,
        "the export's end is not signed by the key that was given, nor by one that it vouches for",
    )
}

impl Body {
    fn new(header: Header, key: PublicKey) -> Result<Self, ExportError> {
        if header.version > EXPORT_VERSION {
            return Err(ExportError::Newer(header.version));
        }
        let from = link_of(&header.from.hash).ok_or(ExportError::NoHeader)?;
        let verifier = Verifier::new(header.trail, header.from.seq, from, vec![key]).of_a_whole_trail();
        let (head, last) = (header.head.clone(), header.from.seq);
        Ok(Self { verifier, head, last, header, events: 0, redacted: 0 })
    }

    fn event(
        &mut self,
        event: &EventLine,
        anchors: &mut VecDeque<(i64, Link)>,
    ) -> Option<(i64, BreakKind, String)> {
        let seq = event.seq;
        let at = |kind: BreakKind, why: &str| Some((seq, kind, format!("event {seq}: {why}")));
        let (Some(prev), Some(hash)) = (link_of(&event.prev_hash), link_of(&event.hash)) else {
            return at(BreakKind::Edited, "its hashes are no hashes");
        };
        self.events += 1;
        if self.header.filter.is_some() {
            if seq <= self.last {
                return at(BreakKind::Reordered, "it stands after a later one");
            }
            if link(seq, &prev, event.payload.as_bytes()) != hash {
                return at(BreakKind::Edited, "its bytes are not those that its hash stands for");
            }
        } else {
            while let Some((seq, hash)) = anchors.pop_front_if(|(anchored, _)| *anchored <= seq) {
                self.verifier.expect(Claim::Kept { seq, hash });
            }
            if seq == self.head.seq {
                self.verifier.expect(self.head_claim());
            }
            self.verifier.row(Row { seq, prev_hash: &prev, payload: event.payload.as_bytes(), hash: &hash });
        }
        self.last = seq;
        let salts: Vec<Vec<u8>> = event
            .values
            .values()
            .map(|value| data_encoding::HEXLOWER.decode(value.salt.as_bytes()).unwrap_or_default())
            .collect();
        let values = event
            .values
            .iter()
            .zip(&salts)
            .map(|((field, value), salt)| (field.as_bytes(), value.value.as_bytes(), salt.as_slice()));
        match check_values(event.payload.as_bytes(), values) {
            ValueCheck::Right { redacted } => self.redacted += redacted,
            ValueCheck::Wrong => self.verifier.values_differ(seq),
        }
        let differs = self.header.filter.is_some() && self.verifier.is_decided();
        if differs { at(BreakKind::Edited, "its values are not those that it commits to") } else { None }
    }

    fn head_claim(&self) -> Claim {
        let Signed { seq, hash, key, signature } = self.head.clone();
        let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).unwrap_or_default();
        Claim::Head { seq, hash: link_of(&hash).unwrap_or_default(), key, signature }
    }

    /// Judges a checkpoint, which follows its event.
    fn checkpoint(&mut self, signed: &Signed) {
        if self.header.filter.is_none()
            && let Some(hash) = link_of(&signed.hash)
        {
            let signature = data_encoding::HEXLOWER.decode(signed.signature.as_bytes()).unwrap_or_default();
            let claim = Claim::Checkpoint { seq: signed.seq, hash, key: signed.key.clone(), signature };
            self.verifier.hear_late(&claim);
        }
    }

    fn trusted(&self) -> Vec<PublicKey> {
        self.verifier.trusted.clone()
    }
}

fn link_of(hex: &str) -> Option<Link> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}
