//! The audit trail as far as it was read: the events that match the filter, searched by the daemon.
//!
//! Invariant: the selection is an event's number, so nothing that arrives moves it to another event. The list has no gaps:
//! a page that does not join it replaces it. Memory is bounded.

pub(crate) mod chain;
pub(crate) mod export;
pub(crate) mod record;

use tenantry_protocol::ApiError;
use tenantry_protocol::audit::{AuditEvent, AuditFilter, AuditResponse};
use tui_input::Input;

use super::Answer;
use super::tenants::Typing;
use crate::ui::ticket::Ticket;

/// Events in one page.
pub(crate) const PAGE: u32 = 200;
/// The most events that are kept; for older ones the filter has to be narrower.
const MAX_EVENTS: usize = 5_000;
/// How many events below the selection are read ahead.
const AHEAD: usize = 60;

#[derive(Debug)]
pub(crate) struct AuditScreen {
    /// Newest first.
    pub(crate) events: Answer<Vec<AuditEvent>>,
    /// The words of the filter as they are being typed.
    pub(crate) input: Input,
    /// The words in force.
    pub(crate) words: String,
    /// The words that the screen was opened with: clearing goes back to these.
    pub(crate) origin: String,
    /// The filter that the words stand for, as it was parsed when they were entered.
    pub(crate) query: AuditFilter,
    /// An answer with another ticket belongs to other words.
    pub(crate) ticket: Ticket,
    pub(crate) typing: Typing,
    /// The number of the selected event; `None` selects the newest one.
    pub(crate) selection: Option<i64>,
    pub(crate) older: Older,
    pub(crate) reading: Reading,
    pub(crate) tail: Tail,
    /// Something was recorded that has not been read, because nothing may move.
    pub(crate) is_behind: bool,
    /// Why older events could not be read.
    pub(crate) problem: Option<String>,
    /// Everything that matches has been read up to this number.
    covered: i64,
    /// The newest event that was known when the newest page was asked for.
    known: i64,
}

/// Whether the newest page is being read. Only one request runs at a time, however many events are announced meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Idle,
    Asked,
    /// More was recorded since the page was asked for.
    Outdated,
}

/// Whether the trail has events before those that were read, and before which event number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    Unread {
        before: i64,
    },
    Asked {
        before: i64,
    },
    None,
    /// It has, but no more are kept.
    TooMany,
}

/// Whether new events are shown as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// New events are shown while the newest one is selected.
    On,
    Off,
}

impl AuditScreen {
    pub(crate) fn new(words: String, query: AuditFilter, ticket: Ticket) -> Self {
        Self {
            events: Answer::Awaited,
            input: Input::new(words.clone()),
            origin: words.clone(),
            words,
            query,
            ticket,
            typing: Typing::No,
            selection: None,
            older: Older::None,
            reading: Reading::Idle,
            tail: Tail::On,
            is_behind: false,
            problem: None,
            covered: 0,
            known: 0,
        }
    }

    /// Starts with other words, and forgets what was read for the earlier ones.
    pub(crate) fn begin_anew(&mut self, words: String, query: AuditFilter, ticket: Ticket) {
        let (origin, tail) = (std::mem::take(&mut self.origin), self.tail);
        *self = Self { origin, tail, ..Self::new(words, query, ticket) };
    }

    pub(crate) fn events(&self) -> &[AuditEvent] {
        match &self.events {
            Answer::Given(events) => events,
            Answer::Awaited | Answer::Refused(_) => &[],
        }
    }

    pub(crate) fn selected(&self) -> Option<&AuditEvent> {
        self.events().get(self.selected_row())
    }

    /// The row of the selection; if its event is no longer listed, the row of the next older one.
    pub(crate) fn selected_row(&self) -> usize {
        let events = self.events();
        let row = self.selection.map_or(0, |seq| events.partition_point(|event| event.seq > seq));
        row.min(events.len().saturating_sub(1))
    }

    pub(crate) fn is_narrowed(&self) -> bool {
        self.words != self.origin
    }

    /// Whether new events are shown as they come.
    pub(crate) fn is_live(&self) -> bool {
        self.tail == Tail::On && self.selection.is_none()
    }

    /// Something was recorded; returns whether it should be read now.
    pub(crate) fn announced(&mut self) -> bool {
        if !self.is_live() {
            self.is_behind = true;
            return false;
        }
        if matches!(self.events, Answer::Refused(_)) {
            // A request that was refused would be refused again with each event.
            return false;
        }
        let now = self.reading == Reading::Idle;
        if !now {
            self.reading = Reading::Outdated;
        }
        now
    }

    /// The newest page is being asked for; `known` is the newest known event.
    pub(crate) fn asked(&mut self, known: i64) {
        self.reading = Reading::Asked;
        self.is_behind = false;
        self.known = known;
    }

    /// Takes the newest page; an error does not replace events that are shown.
    pub(crate) fn newest_arrived(&mut self, result: Result<AuditResponse, ApiError>) {
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                if !matches!(self.events, Answer::Given(_)) {
                    self.events = Answer::Refused(error);
                }
                return;
            }
        };
        let end = end_of(&page);
        let newest = page.events.first().map_or(0, |event| event.seq).max(self.known);
        let kept = match std::mem::replace(&mut self.events, Answer::Awaited) {
            Answer::Given(kept) => Some(kept),
            _ => None,
        };
        let low = end.unwrap_or(1);
        let mut events = page.events;
        match kept.filter(|_| low <= self.covered + 1) {
            Some(kept) => {
                events.extend(kept.into_iter().filter(|event| event.seq < low));
                self.covered = self.covered.max(newest);
            }
            None => {
                // A gap would look as if the trail had none.
                self.older = end.map_or(Older::None, |before| Older::Unread { before });
                self.covered = newest;
            }
        }
        if end.is_none() {
            // The page reaches the beginning: there is nothing before it.
            self.older = Older::None;
        }
        if events.len() > MAX_EVENTS {
            events.truncate(MAX_EVENTS);
            self.older = Older::TooMany;
        }
        self.events = Answer::Given(events);
    }

    pub(crate) fn older_arrived(&mut self, before: i64, result: Result<AuditResponse, ApiError>) {
        let Answer::Given(events) = &mut self.events else { return };
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                self.problem = Some(error.message);
                self.older = Older::Unread { before };
                return;
            }
        };
        self.problem = None;
        // A search that stood still would be repeated for ever.
        let end = end_of(&page).filter(|end| *end < before);
        let last = events.last().map_or(i64::MAX, |event| event.seq);
        events.extend(page.events.into_iter().filter(|event| event.seq < last));
        self.older = match end {
            Some(_) if events.len() >= MAX_EVENTS => Older::TooMany,
            Some(before) => Older::Unread { before },
            None => Older::None,
        };
        events.truncate(MAX_EVENTS);
    }

    /// The number before which older events begin, if they should be read now because the selection is near the end.
    pub(crate) fn wants_older(&self) -> Option<i64> {
        let Answer::Given(events) = &self.events else { return None };
        match self.older {
            Older::Unread { before } if self.selected_row() + AHEAD >= events.len() => Some(before),
            _ => None,
        }
    }
}

/// Down to which number this page is complete; `None` if it reaches the beginning.
fn end_of(page: &AuditResponse) -> Option<i64> {
    let is_full = page.events.len() >= PAGE as usize;
    page.searched_to.or_else(|| page.events.last().filter(|_| is_full).map(|event| event.seq))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;
    use crate::ui::testing::{audit_event, audit_page};

    fn screen(seqs: &[i64]) -> AuditScreen {
        let mut screen = AuditScreen::new(String::new(), AuditFilter::default(), Ticket(1));
        screen.newest_arrived(Ok(page(seqs)));
        screen
    }

    fn page(seqs: &[i64]) -> AuditResponse {
        audit_page(seqs.iter().map(|seq| audit_event(*seq, "provision", "acme")).collect())
    }

    fn numbers(screen: &AuditScreen) -> Vec<i64> {
        screen.events().iter().map(|event| event.seq).collect()
    }

    #[test]
    fn what_arrives_moves_the_selection_to_no_other_event() {
        let mut screen = screen(&[2, 1]);
        screen.selection = Some(1);
        screen.newest_arrived(Ok(page(&[3, 2, 1])));
        assert_eq!(numbers(&screen), [3, 2, 1]);
        assert_eq!(screen.selected().map(|event| event.seq), Some(1));
    }

    #[test]
    fn a_page_that_does_not_join_on_replaces_what_was_read() {
        let mut screen = screen(&[2]);
        screen.newest_arrived(Ok(AuditResponse { searched_to: Some(500), ..page(&[900]) }));
        assert_eq!((numbers(&screen), screen.older), (vec![900], Older::Unread { before: 500 }));
    }

    #[test]
    fn of_a_rare_match_what_was_found_stays_when_the_search_pauses_above_it() {
        let mut screen = screen(&[]);
        screen.asked(1_000);
        screen.newest_arrived(Ok(page(&[2])));
        screen.asked(1_001);
        screen.newest_arrived(Ok(AuditResponse { searched_to: Some(800), ..page(&[]) }));
        assert_eq!(
            (numbers(&screen), screen.older),
            (vec![2], Older::None),
            "up to 1,000 was looked at before"
        );
    }

    #[test]
    fn older_events_are_read_once_and_joined_at_the_end() {
        let all: Vec<i64> = (101..=300).rev().collect();
        let mut screen = screen(&all);
        assert_eq!(screen.wants_older(), None, "the selection is far from the end");
        screen.selection = Some(105);
        assert_eq!(screen.wants_older(), Some(101));
        screen.older_arrived(101, Ok(page(&(1..=100).rev().collect::<Vec<_>>())));
        assert_eq!((numbers(&screen).len(), screen.older), (300, Older::None));
        let error = ApiError::new(tenantry_protocol::ErrorCode::Unavailable, "gone");
        screen.newest_arrived(Err(error));
        assert_eq!(numbers(&screen).len(), 300, "an error takes nothing away");
    }

    #[test]
    fn a_search_that_paused_is_gone_on_with_until_enough_is_found_or_nothing_is_left() {
        let mut screen = screen(&[]);
        screen.newest_arrived(Ok(AuditResponse { searched_to: Some(700), ..page(&[]) }));
        assert_eq!(screen.wants_older(), Some(700));
        screen.older_arrived(700, Ok(AuditResponse { searched_to: Some(400), ..page(&[650]) }));
        assert_eq!((screen.wants_older(), numbers(&screen)), (Some(400), vec![650]));
        let standing = AuditResponse { searched_to: Some(400), ..page(&[]) };
        screen.older_arrived(400, Ok(standing));
        assert_eq!(screen.wants_older(), None, "one that gets nowhere is not asked again");
    }

    #[test]
    fn nothing_is_read_behind_a_selection_that_left_the_newest() {
        let mut screen = screen(&[2, 1]);
        assert!(screen.announced(), "it is live");
        screen.selection = Some(1);
        assert!(!screen.announced() && screen.is_behind);
        screen.selection = None;
        screen.tail = Tail::Off;
        assert!(!screen.announced());
    }
}
