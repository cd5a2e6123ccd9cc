//! States of the trail's end, each seen from every place: at a change, in the status, by a verification, at a start, after
//! a restart, and in an export. A state has one verdict, and nothing is added where the end does not hold.

use tenantry_protocol::audit::{AuditBreak, BreakKind};
use tenantry_protocol::session::HealthRequest;

use super::offline;
use super::tamper::{Class, Tamperer};
use super::{anchors_of, verdict};
use crate::rpc::context;
use crate::{Env, eventually};

/// What was done to the end, or beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    NoHead,
    TwoHeads,
    OtherTrail,
    OtherKeyName,
    Unsigned,
    OtherHash,
    /// The head names an earlier event, but keeps its own signature.
    HeadBehind,
    /// The head is what it was at an earlier event.
    OlderHead,
    HeadAhead,
    /// The last five events are gone, and the head is left.
    FiveGone,
    /// All events are gone, as if their segment had been pruned.
    PretendedPruned,
    PlantedEvent,
    PlantedValue,
    PlantedCheckpoint,
    /// As far from the end as possible.
    FarCheckpoint,
    /// At the last event, or from an earlier one on.
    Done(Class),
    /// This and the following do not concern the end, and nothing is refused.
    CheckpointsGone,
    AnchorsEmptied,
    AnchorsGone,
    EditedFurtherBack,
}

/// Where it is seen first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Append,
    Status,
    Verify,
    Start,
}

impl Place {
    pub const ALL: [Self; 4] = [Self::Append, Self::Status, Self::Verify, Self::Start];
}

impl End {
    /// The ones that an attack found; every run of the tests tries them.
    pub const FOUND: [Self; 8] = [
        Self::NoHead,
        Self::OtherTrail,
        Self::Done(Class::ForgeHead),
        Self::OtherKeyName,
        Self::FiveGone,
        Self::PretendedPruned,
        Self::Done(Class::Rewrite),
        Self::FarCheckpoint,
    ];
    #[allow(dead_code, reason = "for the proof")]
    pub const ALL: [Self; 31] = [
        Self::NoHead,
        Self::TwoHeads,
        Self::OtherTrail,
        Self::OtherKeyName,
        Self::Unsigned,
        Self::OtherHash,
        Self::HeadBehind,
        Self::OlderHead,
        Self::HeadAhead,
        Self::FiveGone,
        Self::PretendedPruned,
        Self::PlantedEvent,
        Self::PlantedValue,
        Self::PlantedCheckpoint,
        Self::FarCheckpoint,
        Self::Done(Class::EditPayload),
        Self::Done(Class::EditHash),
        Self::Done(Class::EditPrevHash),
        Self::Done(Class::EditValue),
        Self::Done(Class::EditAndRehash),
        Self::Done(Class::Remove),
        Self::Done(Class::Restore),
        Self::Done(Class::Rewrite),
        Self::Done(Class::Insert),
        Self::Done(Class::Append),
        Self::Done(Class::ForgeHead),
        Self::Done(Class::ForgeCheckpoint),
        Self::CheckpointsGone,
        Self::AnchorsEmptied,
        Self::AnchorsGone,
        Self::EditedFurtherBack,
    ];

    /// Where a class is applied in a trail whose last event is `last`.
    const fn at(class: Class, last: i64) -> i64 {
        match class {
            Class::Restore | Class::Rewrite | Class::Insert => last - 3,
            _ => last,
        }
    }

    /// The expected verdict; `None` for a trail that is whole.
    fn expected(self, last: i64) -> Option<(i64, BreakKind)> {
        Some(match self {
            Self::NoHead => (last + 1, BreakKind::Cut),
            Self::TwoHeads | Self::OtherTrail | Self::OtherKeyName | Self::Unsigned | Self::OtherHash => {
                (last, BreakKind::Forged)
            }
            Self::HeadBehind | Self::OlderHead => (last - 2, BreakKind::Forged),
            Self::HeadAhead
            | Self::PlantedEvent
            | Self::PlantedValue
            | Self::PlantedCheckpoint
            | Self::FarCheckpoint => (last + 1, BreakKind::Forged),
            Self::FiveGone => (last - 4, BreakKind::Cut),
            Self::PretendedPruned => (1, BreakKind::Cut),
            Self::Done(class) => class.expected(Self::at(class, last), last),
            Self::CheckpointsGone | Self::AnchorsEmptied | Self::AnchorsGone => return None,
            Self::EditedFurtherBack => (3, BreakKind::Edited),
        })
    }

    const fn refuses(self) -> bool {
        !matches!(
            self,
            Self::CheckpointsGone | Self::AnchorsEmptied | Self::AnchorsGone | Self::EditedFurtherBack
        )
    }

    /// An export holds the events up to the head it was started with, of the trail that the head names.
    const fn shows_in_an_export(self) -> bool {
        !matches!(
            self,
            Self::NoHead
                | Self::TwoHeads
                | Self::OtherTrail
                | Self::HeadBehind
                | Self::OlderHead
                | Self::PlantedEvent
                | Self::PlantedValue
                | Self::PlantedCheckpoint
                | Self::FarCheckpoint
                | Self::Done(Class::Restore)
        )
    }

    async fn make(self, env: &Env, tamperer: &mut Tamperer) {
        let last = tamperer.last;
        let anchors = env.dir.join("state/audit/anchors");
        let sql = match self {
            Self::NoHead => "delete from control.audit_head;".to_owned(),
            Self::TwoHeads => "alter table control.audit_head drop constraint audit_head_pk, drop constraint audit_head_is_single;
                 insert into control.audit_head (singleton, trail, seq, hash, key, signature)
                   select false, trail, seq, hash, key, signature from control.audit_head;"
                .to_owned(),
            Self::OtherTrail => "update control.audit_head set trail = gen_random_uuid();".to_owned(),
            Self::OtherKeyName => "update control.audit_head set key = '0123456789abcdef';".to_owned(),
            Self::Unsigned => "update control.audit_head set key = null, signature = null;".to_owned(),
            Self::OtherHash => {
                "update control.audit_head set hash = set_byte(hash, 3, (get_byte(hash, 3) + 1) % 256);".to_owned()
            }
            Self::HeadBehind => format!(
                "update control.audit_head set seq = {0}, hash = (select hash from control.audit_event where seq = {0});",
                last - 3
            ),
            Self::OlderHead => tamperer.older_head(last - 3).await,
            Self::HeadAhead => "update control.audit_head set seq = seq + 5;".to_owned(),
            Self::FiveGone => return tamperer.tamper(Class::CutOff, last - 4, last).await,
            Self::PretendedPruned => "delete from control.audit_event; delete from control.audit_detail;
                 update control.audit_segment set pruned_at = now();"
                .to_owned(),
            Self::PlantedEvent => tamperer.event_after(last).await,
            Self::PlantedValue => format!(
                "insert into control.audit_detail (seq, field, value, salt)
                   values ({}, 'actor', 'somebody', decode(repeat('00', 16), 'hex'));",
                last + 1
            ),
            Self::PlantedCheckpoint => format!(
                "insert into control.audit_checkpoint (seq, hash, key, signature)
                   select {}, hash, key, signature from control.audit_head;",
                last + 1
            ),
            Self::FarCheckpoint => format!(
                "insert into control.audit_checkpoint (seq, hash, key, signature)
                   select {}, hash, key, signature from control.audit_head;",
                i64::MAX
            ),
            Self::Done(class) => return tamperer.tamper(class, Self::at(class, last), last).await,
            Self::CheckpointsGone => "delete from control.audit_checkpoint;".to_owned(),
            Self::AnchorsEmptied => {
                std::fs::write(anchors, "").unwrap();
                String::new()
            }
            Self::AnchorsGone => {
                std::fs::remove_file(anchors).unwrap();
                String::new()
            }
            Self::EditedFurtherBack => return tamperer.tamper(Class::EditPayload, 3, last).await,
        };
        tamperer.guarded(&sql).await;
    }
}

/// What is wrong, one line each, if this is done to the trail and is seen at that place first.
pub async fn look(env: &mut Env, end: End, first: Place) -> Vec<String> {
    let mut tamperer = Tamperer::of(env).await;
    let elsewhere = anchors_of(env);
    if first == Place::Start {
        env.take_daemon().kill().await;
    }
    tamperer.save().await;
    let last = tamperer.last;
    end.make(env, &mut tamperer).await;
    let mut seen = Seen { end, expected: end.expected(last), sentence: None, wrong: Vec::new() };
    if first == Place::Start {
        env.start_daemon().await;
    } else {
        seen.at(env, first, "at first").await;
    }
    for place in [Place::Verify, Place::Status, Place::Append, Place::Verify] {
        seen.at(env, place, "then").await;
    }
    if first != Place::Start {
        env.take_daemon().kill().await;
        env.start_daemon().await;
        for place in [Place::Append, Place::Status, Place::Verify] {
            seen.at(env, place, "after a restart").await;
        }
    }
    if end.refuses() {
        let newest: Option<i64> =
            sqlx::query_scalar("select max(seq) from control.audit_event where seq > $1")
                .bind(
                    last + i64::from(matches!(
                        end,
                        End::PlantedEvent | End::Done(Class::Append | Class::Insert)
                    )),
                )
                .fetch_one(&mut env.control().await)
                .await
                .unwrap();
        seen.must("nothing is added to it", newest, None);
        env.tenantry(&["tenant", "list"]).await.assert_status(0);
        env.tenantry(&["audit", "list"]).await.assert_status(0);
        env.tenantry(&["audit", "segments"]).await.assert_status(0);
    }
    if end.shows_in_an_export() && end.refuses() {
        let found = offline::verdict(env, &elsewhere).await;
        let expected = seen.expected;
        seen.must("in an export", found, expected);
    }
    match end {
        End::EditedFurtherBack => tamperer.put_back(Class::EditPayload).await,
        End::CheckpointsGone => tamperer.put_back(Class::ForgeCheckpoint).await,
        end if end.refuses() => put_back(&mut tamperer).await,
        _ => {}
    }
    (seen.expected, seen.sentence) = (None, None);
    // There is no reason to refuse any more, without anybody's consent; a change further back takes a verification.
    seen.end = End::CheckpointsGone;
    if !end.refuses() {
        seen.at(env, Place::Verify, "put back").await;
    }
    for place in [Place::Append, Place::Status, Place::Verify] {
        seen.at(env, place, "put back").await;
    }
    seen.wrong.iter().map(|wrong| format!("{end:?}, {first:?} first, of {last} events: {wrong}")).collect()
}

/// Restores everything that was saved, including the head; everything else is removed.
async fn put_back(tamperer: &mut Tamperer) {
    tamperer
        .guarded(
            "alter table control.audit_head drop constraint if exists audit_head_pk, drop constraint if exists audit_head_is_single;
             delete from control.audit_head;
             insert into control.audit_head select * from saved.head;
             alter table control.audit_head add constraint audit_head_pk primary key (singleton),
               add constraint audit_head_is_single check (singleton);
             update control.audit_segment set pruned_at = null;",
        )
        .await;
    tamperer.put_back(Class::Restore).await;
}

/// What was seen so far.
struct Seen {
    end: End,
    expected: Option<(i64, BreakKind)>,
    /// The sentence as it was first reported: it must be the same everywhere.
    sentence: Option<String>,
    wrong: Vec<String>,
}

impl Seen {
    fn must<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.wrong.push(format!("{what}: {found:?} and not {expected:?}"));
        }
    }

    fn told(&mut self, what: &str, found: Option<AuditBreak>) {
        let expected = self.expected;
        self.must(what, found.as_ref().map(|found| (found.seq, found.kind)), expected);
        let Some(found) = found else { return };
        let sentence = self.sentence.get_or_insert(found.message.clone()).clone();
        self.must(what, found.message, sentence);
    }

    async fn at(&mut self, env: &Env, place: Place, when: &str) {
        let what = format!("{place:?}, {when}");
        match place {
            Place::Verify => {
                let found = verdict(env, Vec::new()).await.broken;
                self.told(&what, found);
            }
            Place::Status => {
                // If the look takes longer than a status may, the next status reports its result.
                let trail = eventually("the status tells what the look at the end found", async || {
                    let health = env.rpc().await.health(context(), HealthRequest {}).await.unwrap().unwrap();
                    let trail = health.control.trail.unwrap_or_default();
                    (trail.trouble.is_some() == self.end.refuses()).then_some(trail)
                })
                .await;
                let is_refused = trail.trouble.is_some();
                // A status knows of a change further back only from a verification.
                if is_refused {
                    self.told(&what, trail.trouble);
                } else if self.expected.is_none() {
                    self.told(&what, trail.found);
                }
            }
            Place::Append => {
                let done = env.tenantry(&["tenant", "suspend", "acme"]).await;
                let status = if self.end.refuses() { 5 } else { 0 };
                self.must(&format!("{what}: {}", done.stderr), done.status, status);
                if done.status == 0 {
                    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
                } else if let Some(sentence) = self.sentence.clone() {
                    self.must(&what, done.stderr.contains(&sentence), true);
                }
            }
            Place::Start => {}
        }
    }
}
