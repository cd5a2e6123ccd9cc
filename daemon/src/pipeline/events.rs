//! The ring of recent events that `watch` polls.
//!
//! The ring is bounded: a watcher that falls behind is told to read the state again. Cursors begin at the start time in
//! microseconds, so a cursor from an earlier run of the daemon is always too old and never wrong.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::watch::{Event, EventBody, WatchResponse};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The number of events kept. A provision of 12 files makes about 40.
const CAPACITY: usize = 4_096;
/// Events in one answer. With their operations they are about 1 MiB, far below the limit of a frame. Large events reduce
/// the number.
const PAGE: usize = 256;

/// Recent events, in order.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<VecDeque<Event>>,
    /// The newest cursor; a change wakes the waiting watchers.
    newest: watch::Sender<u64>,
    /// Cancelled when no more events will come, so that nobody waits any longer.
    closed: CancellationToken,
}

impl Events {
    pub fn new() -> Self {
        let start = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
        let (newest, _) = watch::channel(u64::try_from(start).unwrap_or(0));
        let closed = CancellationToken::new();
        Self { ring: Mutex::new(VecDeque::with_capacity(CAPACITY)), newest, closed }
    }

    /// Ends all waiting, when the daemon stops.
    pub fn close(&self) {
        self.closed.cancel();
    }

    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    pub fn publish(&self, body: EventBody) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = *self.newest.borrow() + 1;
        if ring.len() == CAPACITY {
            ring.pop_front();
        }
        ring.push_back(Event { cursor, at: OffsetDateTime::now_utc(), body });
        // Sent while the ring is locked, so that cursors rise in the ring's order.
        self.newest.send_replace(cursor);
    }

    /// Events after `cursor` that `wanted` accepts, or none after `wait`. Without a cursor, only events from now on.
    pub async fn after(
        &self,
        cursor: Option<u64>,
        wait: Duration,
        wanted: impl Fn(&EventBody) -> bool,
    ) -> WatchResponse {
        let mut news = self.newest.subscribe();
        let mut from = cursor.unwrap_or_else(|| *news.borrow());
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let answer = self.read(from, &wanted);
            if !answer.events.is_empty() || answer.resync {
                return answer;
            }
            from = answer.cursor;
            news.mark_unchanged();
            if *news.borrow() > from {
                continue;
            }
            let came = tokio::select! {
                came = tokio::time::timeout_at(deadline, news.changed()) => matches!(came, Ok(Ok(()))),
                () = self.closed.cancelled() => false,
            };
            if !came {
                return answer;
            }
        }
    }

    fn read(&self, from: u64, wanted: impl Fn(&EventBody) -> bool) -> WatchResponse {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = *self.newest.borrow();
        let oldest = ring.front().map_or(newest + 1, |event| event.cursor);
        // A cursor from the future came from another daemon whose clock was ahead.
        let resync = from + 1 < oldest || from > newest;
        // Cursors rise, so a binary search suffices. With many watchers at the end of the ring, full scans would add up.
        let mut events: Vec<Event> = ring
            .range(ring.partition_point(|event| event.cursor <= from)..)
            .filter(|event| wanted(&event.body))
            .take(PAGE + 1)
            .cloned()
            .collect();
        let is_full = events.len() > PAGE;
        events.truncate(PAGE);
        let cursor = if brief::fit(&mut events, PAGE_BYTES) || is_full {
            events.last().map_or(newest, |event| event.cursor)
        } else {
            newest
        };
        WatchResponse { cursor, events, resync }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(seq: i64) -> EventBody {
        EventBody::Audit { seq }
    }

    #[tokio::test]
    async fn a_watcher_gets_what_comes_after_its_cursor() {
        let events = Events::new();
        let start = events.after(None, Duration::ZERO, |_| true).await;
        assert!(start.events.is_empty() && !start.resync);
        events.publish(audit(1));
        events.publish(audit(2));
        let next = events.after(Some(start.cursor), Duration::ZERO, |_| true).await;
        assert_eq!(next.events.iter().map(|e| e.body.clone()).collect::<Vec<_>>(), [audit(1), audit(2)]);
        assert!(events.after(Some(next.cursor), Duration::ZERO, |_| true).await.events.is_empty());
    }

    #[tokio::test]
    async fn a_cursor_that_is_too_old_or_foreign_asks_for_a_resync() {
        let events = Events::new();
        let start = events.after(None, Duration::ZERO, |_| true).await.cursor;
        for seq in 0..5_000 {
            events.publish(audit(seq));
        }
        assert!(events.after(Some(start), Duration::ZERO, |_| true).await.resync);
        assert!(events.after(Some(7), Duration::ZERO, |_| true).await.resync);
        assert!(events.after(Some(u64::MAX - 1), Duration::ZERO, |_| true).await.resync);
    }

    #[tokio::test]
    async fn events_that_nobody_asked_for_do_not_end_the_wait() {
        let events = Events::new();
        let start = events.after(None, Duration::ZERO, |_| true).await.cursor;
        events.publish(audit(1));
        let answer = events.after(Some(start), Duration::from_millis(1), |_| false).await;
        assert!(answer.events.is_empty() && answer.cursor > start);
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_into_pages_without_a_gap() {
        let events = Events::new();
        let mut cursor = events.after(None, Duration::ZERO, |_| true).await.cursor;
        for seq in 0..600 {
            events.publish(audit(seq));
        }
        let mut seen = Vec::new();
        for _ in 0..3 {
            let page = events.after(Some(cursor), Duration::ZERO, |_| true).await;
            cursor = page.cursor;
            seen.extend(page.events.into_iter().map(|e| e.body));
        }
        assert_eq!(seen, (0..600).map(audit).collect::<Vec<_>>());
    }
}
