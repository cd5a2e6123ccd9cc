//! Repeated events, on their way to the audit trail. The first event of a caller is recorded at once, and those that
//! follow within a short time as one number. A flood of events becomes a few events, and none goes uncounted.
//!
//! This applies to denials, and to verifications with an unchanged verdict: requests that anybody with the lowest role
//! can repeat must not fill a trail that is kept for years.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::audit::BreakKind;
use tokio::sync::Notify;

use crate::model::audit_chain::{Actor, Entry, Outcome};

use crate::commands::App;

/// Repetitions by the same caller within this time are one audit event.
const INTERVAL: Duration = Duration::from_secs(10);
/// The number of distinct pairs of caller and event kind; beyond it repetitions are only counted.
const MOST_PAIRS: usize = 1_024;

/// A kind of event that is recorded once and then counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::commands) enum RepeatKind {
    Denied(&'static str),
    Verified,
    /// A verification with anchors of the caller, which agreed.
    AnchorsAgreed,
    /// The same, but the anchors differed. The caller chose them, so the place of the difference says nothing about the
    /// trail.
    AnchorsDiffered,
    /// Events of the callers that are not told apart.
    OfOthers(Others),
}

/// What the callers did that are not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::commands) enum Others {
    Denied,
    FoundItWhole,
    FoundItBroken,
}

/// The outcome of a verification; a different outcome does not count as a repetition. `None` for kinds whose outcome
/// cannot change.
pub(super) type RepeatedOutcome = Option<(i64, BreakKind)>;

/// The repetitions that are not recorded yet.
#[derive(Debug, Default)]
pub(in crate::commands) struct Repeats {
    known: Mutex<KnownRepeat>,
    /// Notified when there is something to record.
    pending: Notify,
}

#[derive(Debug, Default)]
struct KnownRepeat {
    pairs: HashMap<(u32, RepeatKind), Pair>,
    /// The counts of callers that are not told apart.
    others: HashMap<Others, u64>,
}

#[derive(Debug)]
struct Pair {
    actor: Actor,
    found: RepeatedOutcome,
    recorded_at: Instant,
    unrecorded: u64,
}

/// Repetitions that are recorded as a number.
struct Counted {
    /// The daemon, for all callers that are not told apart.
    actor: Actor,
    what: RepeatKind,
    found: RepeatedOutcome,
    count: u64,
}

/// Which repetitions are to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Those whose interval is over.
    Now,
    All,
}

impl Repeats {
    fn lock(&self) -> MutexGuard<'_, KnownRepeat> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an event. If it is to be recorded at once, returns how many went unrecorded before it.
    pub(in crate::commands) fn count(
        &self,
        actor: &Actor,
        what: RepeatKind,
        found: RepeatedOutcome,
    ) -> Option<u64> {
        let (mut known, now) = (self.lock(), Instant::now());
        if known.pairs.len() >= MOST_PAIRS {
            known
                .pairs
                .retain(|_, pair| pair.unrecorded > 0 || now.duration_since(pair.recorded_at) < INTERVAL);
        }
        let is_full = known.pairs.len() >= MOST_PAIRS;
        match known.pairs.get_mut(&(actor.uid, what)) {
            Some(pair) if pair.found != found || now.duration_since(pair.recorded_at) >= INTERVAL => {
                (pair.recorded_at, pair.found) = (now, found);
                return Some(std::mem::take(&mut pair.unrecorded));
            }
            Some(pair) => pair.unrecorded += 1,
            None if is_full => *known.others.entry(others(what, found)).or_default() += 1,
            None => {
                let pair = Pair { actor: actor.clone(), found, recorded_at: now, unrecorded: 0 };
                known.pairs.insert((actor.uid, what), pair);
                return Some(0);
            }
        }
        self.pending.notify_one();
        None
    }

    /// Takes the repetitions that are to be recorded now, and forgets callers that repeated nothing lately.
    fn take(&self, due: Due) -> Vec<Counted> {
        let (mut known, now) = (self.lock(), Instant::now());
        let mut taken = Vec::new();
        known.pairs.retain(|(_, what), pair| {
            let is_over = due == Due::All || now.duration_since(pair.recorded_at) >= INTERVAL;
            if is_over && pair.unrecorded > 0 {
                let count = std::mem::take(&mut pair.unrecorded);
                let (actor, found) = (pair.actor.clone(), pair.found);
                taken.push(Counted { actor, what: *what, found, count });
                pair.recorded_at = now;
                return true;
            }
            !is_over
        });
        for (of_others, count) in known.others.drain() {
            let actor = Actor::daemon(nix::unistd::geteuid().as_raw());
            taken.push(Counted { actor, what: RepeatKind::OfOthers(of_others), found: None, count });
        }
        taken
    }

    /// Counts repetitions again that could not be recorded.
    pub(in crate::commands) fn put_back(
        &self,
        actor: &Actor,
        what: RepeatKind,
        found: RepeatedOutcome,
        count: u64,
    ) {
        let mut known = self.lock();
        match known.pairs.get_mut(&(actor.uid, what)) {
            Some(pair) => pair.unrecorded += count,
            None => *known.others.entry(others(what, found)).or_default() += count,
        }
        self.pending.notify_one();
    }
}

impl App {
    /// Records repetitions that no later event would record; never returns by itself.
    pub async fn record_repeats_in_turn(self: &Arc<Self>) {
        loop {
            self.repeats.pending.notified().await;
            tokio::time::sleep(INTERVAL).await;
            let app = Arc::clone(self);
            self.in_a_task(async move { app.record_counted(Due::Now).await }).await;
        }
    }

    /// Records everything that is only counted so far, when the daemon stops.
    pub async fn record_last_repeats(&self) {
        self.record_counted(Due::All).await;
    }

    pub(in crate::commands) async fn in_a_task(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = self.engine.tasks().spawn(work).await {
            tracing::error!(%error, "the recording of what repeats panicked");
        }
    }

    async fn record_counted(&self, due: Due) {
        for counted in self.repeats.take(due) {
            let (what, found, count) = (counted.what, counted.found, counted.count);
            let entry = entry(counted);
            if let Err(error) = self.record_alone(&entry).await {
                tracing::warn!(count, action = entry.action, error = %error.explain(), "repetitions could not be recorded");
                self.repeats.put_back(&entry.actor, what, found, count);
            }
        }
    }
}

/// The kind under which an event is counted if its caller is not told apart.
const fn others(what: RepeatKind, found: RepeatedOutcome) -> Others {
    match (what, found) {
        (RepeatKind::OfOthers(others), _) => others,
        (RepeatKind::Denied(_), _) => Others::Denied,
        (RepeatKind::AnchorsDiffered, _) | (RepeatKind::Verified, Some(_)) => Others::FoundItBroken,
        (RepeatKind::AnchorsAgreed | RepeatKind::Verified, _) => Others::FoundItWhole,
    }
}

fn entry(Counted { actor, what, found, count }: Counted) -> Entry {
    let (action, outcome, fact) = match what {
        RepeatKind::Denied(action) => ("denials", Outcome::Denied, Some(("action", action))),
        RepeatKind::Verified if found.is_some() => ("audit.verify", Outcome::Failed, None),
        RepeatKind::Verified => ("audit.verify", Outcome::Ok, None),
        RepeatKind::AnchorsAgreed => ("audit.verify", Outcome::Ok, Some(("anchors", "given"))),
        RepeatKind::AnchorsDiffered => ("audit.verify", Outcome::Failed, Some(("anchors", "given"))),
        RepeatKind::OfOthers(Others::Denied) => ("denials", Outcome::Denied, Some(("action", "others"))),
        RepeatKind::OfOthers(Others::FoundItWhole) => {
            ("audit.verify", Outcome::Ok, Some(("callers", "others")))
        }
        RepeatKind::OfOthers(Others::FoundItBroken) => {
            ("audit.verify", Outcome::Failed, Some(("callers", "others")))
        }
    };
    let mut entry = Entry { outcome: Some(outcome), ..Entry::new(action, actor) }.fact("count", count);
    if let Some((name, value)) = fact {
        entry = entry.fact(name, value);
    }
    match found {
        Some((seq, kind)) => entry.fact("kind", kind.name()).fact("seq", seq),
        None => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(uid: u32) -> Actor {
        Actor { uid, name: format!("u{uid}"), role: None, claimed: None }
    }

    #[test]
    fn no_repetition_goes_uncounted() {
        let (repeats, plan) = (Repeats::default(), RepeatKind::Denied("plan"));
        assert_eq!(repeats.count(&actor(7), plan, None), Some(0), "the first is an event of its own");
        for _ in 0..3 {
            assert_eq!(repeats.count(&actor(7), plan, None), None);
        }
        assert!(repeats.take(Due::Now).is_empty(), "its time is not over");
        let taken = repeats.take(Due::All);
        assert_eq!((taken.len(), taken[0].count, taken[0].what), (1, 3, plan));
        repeats.put_back(&taken[0].actor, taken[0].what, None, taken[0].count);
        assert_eq!(repeats.take(Due::All)[0].count, 3, "what could not be recorded is still there");
        assert!(repeats.take(Due::All).is_empty());
    }

    #[test]
    fn another_verdict_is_recorded_at_once_with_what_was_counted_before() {
        let repeats = Repeats::default();
        let cut = Some((7, BreakKind::Cut));
        let counts = [None, None, cut, cut, Some((7, BreakKind::Forged)), None]
            .map(|found| repeats.count(&actor(7), RepeatKind::Verified, found));
        assert_eq!(counts, [Some(0), None, Some(1), None, Some(1), Some(0)]);
        assert_eq!(repeats.count(&actor(7), RepeatKind::AnchorsAgreed, None), Some(0));
        assert_eq!(repeats.count(&actor(8), RepeatKind::Verified, None), Some(0), "each caller is on record");
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_counted() {
        let repeats = Repeats::default();
        let most = u32::try_from(MOST_PAIRS).unwrap_or_default();
        let is_recorded = |uid: &u32| repeats.count(&actor(*uid), RepeatKind::Denied("plan"), None).is_some();
        let recorded = (0..most + 10).filter(is_recorded).count();
        assert_eq!(recorded, MOST_PAIRS);
        let taken = repeats.take(Due::Now);
        let denied = RepeatKind::OfOthers(Others::Denied);
        assert_eq!((taken.len(), taken[0].count, taken[0].what), (1, 10, denied));
        // The outcome stays known even if the caller does not.
        let cut = Some((7, BreakKind::Cut));
        for (what, found) in
            [(RepeatKind::Verified, None), (RepeatKind::Verified, cut), (RepeatKind::AnchorsDiffered, None)]
        {
            assert_eq!(repeats.count(&actor(most + 10), what, found), None);
        }
        repeats.put_back(&actor(most + 11), RepeatKind::AnchorsAgreed, None, 2);
        let mut taken: Vec<_> = repeats.take(Due::Now).into_iter().map(entry).collect();
        taken.sort_by_key(|entry| entry.outcome == Some(Outcome::Failed));
        let told: Vec<_> = taken.iter().map(|entry| (entry.action, entry.outcome)).collect();
        let expected = [Outcome::Ok, Outcome::Failed].map(|outcome| ("audit.verify", Some(outcome)));
        assert_eq!(told, expected);
    }
}
