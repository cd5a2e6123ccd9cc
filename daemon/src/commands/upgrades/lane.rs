//! The tenants of one target in an upgrade: who is next, how many of them begin at a time, and whether the target answers.
//!
//! As many as the upgrade's width are worked on at a time. Where tenants are done quickly, others are on record before their turn
//! comes: one transaction of the registry begins many of them, and the target does not wait for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tenantry_protocol::id::TenantId;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The tenants on record before their turn are as many as are done within this time.
const AHEAD: Duration = Duration::from_millis(100);
/// The most tenants on record before their turn.
const MOST_AHEAD: usize = 64;
/// The number of tenants whose ends tell how quickly they are done, at least and at most.
const SEEN: (usize, usize) = (8, 64);
/// Ends are noted many at a time, so that several at once tell nothing.
const LEAST_TIME: Duration = Duration::from_millis(20);

/// The tenants of one target.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) next: VecDeque<TenantId>,
    pub(super) in_flight: usize,
    /// Tenants are about to be on record, who may still be found waiting.
    pub(super) is_beginning: bool,
    /// The places of those that are worked on.
    pub(super) turns: Arc<Semaphore>,
    width: usize,
    /// When the last tenants were done.
    ends: VecDeque<Instant>,
    /// When it last answered.
    pub(super) alive: Option<Instant>,
    /// Since when it has not answered.
    pub(super) down_since: Option<Instant>,
    /// Nothing begins before.
    pub(super) not_before: Option<Instant>,
}

impl Lane {
    pub(super) fn new(width: usize) -> Self {
        Self {
            next: VecDeque::new(),
            in_flight: 0,
            is_beginning: false,
            turns: Arc::new(Semaphore::new(width)),
            width,
            ends: VecDeque::new(),
            alive: None,
            down_since: None,
            not_before: None,
        }
    }

    /// How many tenants may begin now. Rather none for a moment than few.
    pub(super) fn room(&self, now: Instant) -> usize {
        if self.is_beginning || self.not_before.is_some_and(|at| at > now) {
            return 0;
        }
        let ahead = self.ahead(now);
        let room = (self.width + ahead).saturating_sub(self.in_flight);
        if self.in_flight < self.width || room >= ahead.div_ceil(2) { room } else { 0 }
    }

    fn ahead(&self, now: Instant) -> usize {
        let Some(first) = self.ends.front().filter(|_| self.ends.len() >= SEEN.0) else { return 0 };
        let time = (now - *first).max(LEAST_TIME);
        ((self.ends.len() as f64 * AHEAD.as_secs_f64() / time.as_secs_f64()) as usize).min(MOST_AHEAD)
    }

    /// A tenant is done. After a failure few begin at a time, so that an upgrade that fails stops soon.
    pub(super) fn note_end(&mut self, is_failure: bool, now: Instant) {
        if is_failure {
            self.ends.clear();
            return;
        }
        self.ends.push_back(now);
        if self.ends.len() > SEEN.1 {
            self.ends.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_that_are_done_quickly_begin_many_at_a_time_and_others_do_not() {
        let (mut lane, mut now) = (Lane::new(4), Instant::now());
        assert_eq!(lane.room(now), 4, "nothing is known yet");
        for _ in 0..8 {
            now += Duration::from_secs(2);
            lane.note_end(false, now);
        }
        assert_eq!(lane.room(now), 4, "each takes its time");
        for _ in 0..64 {
            now += Duration::from_millis(4);
            lane.note_end(false, now);
        }
        assert_eq!(lane.room(now), 4 + 25);
        lane.in_flight = 20;
        assert_eq!(lane.room(now), 0, "a few are not worth a transaction");
        lane.in_flight = 14;
        assert_eq!(lane.room(now), 15);
        lane.note_end(true, now);
        assert_eq!(lane.room(now), 0, "after a failure they begin as at first");
    }
}
