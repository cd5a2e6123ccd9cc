//! A break, and its description: what was found, where, and what to do next.
//!
//! Kind and place are the verdict. What is wrong with the head only makes the sentence more precise.

use uuid::Uuid;

use crate::audit::{AuditBreak, BreakKind};

/// Where a trail differs from what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The first event that is affected, as precisely as can be determined.
    pub seq: i64,
    /// The first affected event is at most this one.
    pub at_most: i64,
    pub kind: BreakKind,
    /// The reason, if the break is at the trail's end.
    pub fault: Option<HeadFault>,
}

/// What is wrong with the head: the row that marks the end of the trail and holds the newest signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadFault {
    /// There is no head.
    Gone,
    Several,
    /// The head names another trail, whose signatures prove nothing here.
    OtherTrail(Uuid),
    /// The head belongs to an event that does not exist.
    Ahead(i64),
    /// There are events after the head.
    Behind(i64),
    /// The head's event has another hash.
    OtherHash,
    Unsigned,
    /// The head is signed with a key that is not trusted.
    OtherKey(String),
    /// The head names a trusted key, but that key did not sign it.
    WrongSignature(String),
    /// Values are stored for an event that nobody recorded.
    StrayValues,
}

const RESTORE: &str = "Keep the control database as it is for an investigation, find out who could write to it, and restore it from a backup";

impl Break {
    /// A break at one event.
    pub const fn at(seq: i64, kind: BreakKind) -> Self {
        Self::between(seq, seq, kind)
    }

    pub const fn between(seq: i64, at_most: i64, kind: BreakKind) -> Self {
        Self { seq, at_most, kind, fault: None }
    }

    #[must_use]
    pub fn because(self, fault: Option<HeadFault>) -> Self {
        Self { fault, ..self }
    }

    /// Tells the reader what was found, and what to do next.
    pub fn sentence(&self) -> String {
        if let Some(fault) = &self.fault {
            return self.fault_sentence(fault);
        }
        let (seq, next) = (self.seq, seq_range(self.seq, self.at_most));
        match self.kind {
            BreakKind::Edited => format!(
                "event {seq} was edited: its bytes are not those that its hash, or the next event, stands for. {RESTORE}"
            ),
            BreakKind::Removed => {
                format!("{next} was removed: the events after it are there. {RESTORE}")
            }
            BreakKind::Reordered => {
                format!("event {seq} is not in its place: events were reordered. {RESTORE}")
            }
            BreakKind::Cut => format!(
                "the trail ends before event {seq}, which is known to have been: it was cut off, or restored from an \
                 older copy. If a backup was restored on purpose, an administrator says so: `tenantry audit \
                 acknowledge {seq}`. Otherwise: {RESTORE}"
            ),
            BreakKind::Rewritten => {
                format!(
                    "the trail was rewritten from {next} on: it is not what was signed or anchored. {RESTORE}"
                )
            }
            _ => format!("{next} was forged: no key of this installation signed it. {RESTORE}"),
        }
    }

    fn fault_sentence(&self, fault: &HeadFault) -> String {
        let Self { seq, at_most, .. } = self;
        let what = match fault {
            HeadFault::Gone => format!(
                "the trail's head is gone (control.audit_head has no row): nothing says any more where the trail ends, \
                 and from event {seq} on it may have been cut off"
            ),
            HeadFault::Several => {
                "the trail has more than one head (rows of control.audit_head): this installation made one"
                    .to_owned()
            }
            HeadFault::OtherTrail(trail) => format!(
                "the trail's head was changed: it names trail {trail} (control.audit_head), and this trail is another"
            ),
            HeadFault::Ahead(head) if self.kind == BreakKind::Cut => {
                format!(
                    "the trail ends before event {seq}, and its head is of event {head}: the end was cut off"
                )
            }
            HeadFault::Ahead(head) => format!(
                "the trail's head was changed: it is of event {head}, the trail ends before event {seq}, and no key of this \
                 installation signed more"
            ),
            HeadFault::Behind(head) => {
                format!(
                    "the trail's head is of event {head}, and there are events after it: this installation left none"
                )
            }
            HeadFault::OtherHash => {
                format!(
                    "the trail's head was changed: it has another hash than the event that it is of ({at_most})"
                )
            }
            HeadFault::Unsigned => {
                return format!(
                    "the trail's end (event {at_most}) is not signed: this installation signs each event. If the head was put \
                     back by hand, an administrator says so: `tenantry audit acknowledge {seq}`. Otherwise: {RESTORE}"
                );
            }
            HeadFault::WrongSignature(key) => format!(
                "the signature of the trail's end (event {at_most}) names key {key}, and that key did not sign this: the \
                 event or the signature was forged"
            ),
            HeadFault::StrayValues => {
                format!(
                    "values of event {seq} are stored, and that event was never recorded: they were planted"
                )
            }
            HeadFault::OtherKey(key) => {
                return format!(
                    "the trail's end (event {at_most}) is signed with key {key}, which is not the one that this is \
                     verified with: it was forged, or the key file was replaced. Put the right key back and start again; if \
                     that key is lost for good, an administrator says so: `tenantry audit acknowledge {seq}`"
                );
            }
        };
        format!("{what}. {RESTORE}")
    }

    pub fn to_wire(&self) -> AuditBreak {
        AuditBreak { seq: self.seq, kind: self.kind, message: self.sentence() }
    }
}

fn seq_range(seq: i64, at_most: i64) -> String {
    if seq == at_most { format!("event {seq}") } else { format!("an event between {seq} and {at_most}") }
}
