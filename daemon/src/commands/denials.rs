//! Denials on their way to the audit trail: the first of a caller and action at once, those that follow within a while as
//! one number, so that a flood of them is a few events and none goes uncounted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::session::Role;
use tokio::sync::Notify;

use crate::model::audit_chain::{Actor, Entry, Outcome};

use super::access::name;
use super::{App, Caller};

/// Denials of the same caller and action within this time are one audit event.
const INTERVAL: Duration = Duration::from_secs(10);
/// Pairs of caller and action that are told apart; beyond that denials are only counted.
const MOST_PAIRS: usize = 1_024;

/// What was denied and is not in the trail yet.
#[derive(Debug, Default)]
pub(super) struct Denials {
    known: Mutex<Known>,
    /// Something waits to be recorded.
    pending: Notify,
}

#[derive(Debug, Default)]
struct Known {
    pairs: HashMap<(u32, &'static str), Pair>,
    /// Of callers and actions beyond those that are told apart.
    others: u64,
}

#[derive(Debug)]
struct Pair {
    actor: Actor,
    recorded_at: Instant,
    unrecorded: u64,
}

/// Denials that are recorded as a number.
struct Counted {
    actor: Actor,
    /// None for all those that are not told apart.
    action: Option<&'static str>,
    count: u64,
}

/// Which denials are recorded as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Those whose time is over.
    Now,
    All,
}

impl Denials {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many went unrecorded before this one, if this one is to be recorded at once.
    fn count(&self, actor: &Actor, action: &'static str) -> Option<u64> {
        let (mut known, now) = (self.lock(), Instant::now());
        if known.pairs.len() >= MOST_PAIRS {
            known
                .pairs
                .retain(|_, pair| pair.unrecorded > 0 || now.duration_since(pair.recorded_at) < INTERVAL);
        }
        let is_full = known.pairs.len() >= MOST_PAIRS;
        match known.pairs.get_mut(&(actor.uid, action)) {
            Some(pair) if now.duration_since(pair.recorded_at) >= INTERVAL => {
                pair.recorded_at = now;
                return Some(std::mem::take(&mut pair.unrecorded));
            }
            Some(pair) => pair.unrecorded += 1,
            None if is_full => known.others += 1,
            None => {
                let pair = Pair { actor: actor.clone(), recorded_at: now, unrecorded: 0 };
                known.pairs.insert((actor.uid, action), pair);
                return Some(0);
            }
        }
        self.pending.notify_one();
        None
    }

    /// Takes what is to be recorded now, and forgets whom nobody denied anything lately.
    fn take(&self, due: Due) -> Vec<Counted> {
        let (mut known, now) = (self.lock(), Instant::now());
        let mut taken = Vec::new();
        known.pairs.retain(|(_, action), pair| {
            let is_over = due == Due::All || now.duration_since(pair.recorded_at) >= INTERVAL;
            if is_over && pair.unrecorded > 0 {
                let count = std::mem::take(&mut pair.unrecorded);
                taken.push(Counted { actor: pair.actor.clone(), action: Some(action), count });
                pair.recorded_at = now;
                return true;
            }
            !is_over
        });
        if known.others > 0 {
            let actor = Actor::daemon(nix::unistd::geteuid().as_raw());
            taken.push(Counted { actor, action: None, count: std::mem::take(&mut known.others) });
        }
        taken
    }

    /// What could not be recorded stays counted.
    fn put_back(&self, actor: &Actor, action: Option<&'static str>, count: u64) {
        let mut known = self.lock();
        match action.and_then(|action| known.pairs.get_mut(&(actor.uid, action))) {
            Some(pair) => pair.unrecorded += count,
            None => known.others += count,
        }
        self.pending.notify_one();
    }
}

impl App {
    /// In a task of its own, as all that is recorded of denials: a caller that hangs up is denied all the same.
    pub(super) async fn record_denial(self: &Arc<Self>, caller: &Caller, needed: Role, action: &'static str) {
        tracing::warn!(uid = caller.uid, action, "denied");
        let actor = self.actor(caller);
        let Some(unrecorded) = self.denials.count(&actor, action) else { return };
        let mut entry = Entry::new(action, actor).fact("needs", name(needed));
        entry.outcome = Some(Outcome::Denied);
        if unrecorded > 0 {
            entry = entry.fact("unrecorded", unrecorded);
        }
        let app = Arc::clone(self);
        let record = async move {
            // The answer is "denied" whether or not it can be recorded: nothing happens that would need a trail.
            if let Err(error) = app.record_alone(&entry).await {
                tracing::error!(error = %error.explain(), "a denial could not be recorded");
                app.denials.put_back(&entry.actor, Some(action), unrecorded + 1);
            }
        };
        self.in_a_task(record).await;
    }

    /// Records what no later denial would: never ends by itself.
    pub async fn record_denials_in_turn(self: &Arc<Self>) {
        loop {
            self.denials.pending.notified().await;
            tokio::time::sleep(INTERVAL).await;
            let app = Arc::clone(self);
            self.in_a_task(async move { app.record_counted(Due::Now).await }).await;
        }
    }

    /// Records every denial that is only counted so far, at the daemon's end.
    pub async fn record_last_denials(&self) {
        self.record_counted(Due::All).await;
    }

    async fn in_a_task(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = self.engine.tasks().spawn(work).await {
            tracing::error!(%error, "the recording of denials panicked");
        }
    }

    async fn record_counted(&self, due: Due) {
        for Counted { actor, action, count } in self.denials.take(due) {
            let mut entry = Entry::new("denials", actor).fact("count", count);
            entry.outcome = Some(Outcome::Denied);
            entry = entry.fact("action", action.unwrap_or("others"));
            if let Err(error) = self.record_alone(&entry).await {
                tracing::warn!(count, error = %error.explain(), "denials could not be recorded");
                self.denials.put_back(&entry.actor, action, count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(uid: u32) -> Actor {
        Actor { uid, name: format!("u{uid}"), role: None, claimed: None }
    }

    #[test]
    fn no_denial_goes_uncounted() {
        let denials = Denials::default();
        assert_eq!(denials.count(&actor(7), "plan"), Some(0), "the first is an event of its own");
        for _ in 0..3 {
            assert_eq!(denials.count(&actor(7), "plan"), None);
        }
        assert!(denials.take(Due::Now).is_empty(), "its time is not over");
        let taken = denials.take(Due::All);
        assert_eq!((taken.len(), taken[0].count, taken[0].action), (1, 3, Some("plan")));
        denials.put_back(&taken[0].actor, taken[0].action, taken[0].count);
        assert_eq!(denials.take(Due::All)[0].count, 3, "what could not be recorded is still there");
        assert!(denials.take(Due::All).is_empty());
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_counted() {
        let denials = Denials::default();
        let most = u32::try_from(MOST_PAIRS).unwrap_or_default();
        let recorded = (0..most + 10).filter(|uid| denials.count(&actor(*uid), "plan").is_some()).count();
        assert_eq!(recorded, MOST_PAIRS);
        let taken = denials.take(Due::Now);
        assert_eq!((taken.len(), taken[0].count, taken[0].action), (1, 10, None));
    }
}
