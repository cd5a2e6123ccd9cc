//! The audit trail as far as it was read, and what of it is shown.
//!
//! Invariant: the selection is an event's number, so nothing that arrives moves it to another event. Filtering is done
//! here on what was read; naming a tenant also narrows what is read. Memory is bounded.

use tenantry_protocol::ApiError;
use tenantry_protocol::audit::AuditEvent;
use time::{Duration, OffsetDateTime};
use tui_input::Input;

use super::Answer;
use super::tenants::Typing;

/// Events of one reading.
pub(crate) const PAGE: u32 = 200;
/// Events that are kept; older ones are a matter for the command line.
const MAX_EVENTS: usize = 5_000;

#[derive(Debug)]
pub(crate) struct AuditScreen {
    /// Newest first.
    pub(crate) events: Answer<Vec<AuditEvent>>,
    pub(crate) filter: Input,
    /// The filter that it was opened with: clearing goes back to this.
    pub(crate) origin: String,
    pub(crate) typing: Typing,
    /// Only events about this tenant are read; all if absent.
    pub(crate) tenant: Option<String>,
    /// The selected event's number; the newest one if absent.
    pub(crate) selection: Option<i64>,
    pub(crate) older: Older,
    pub(crate) reading: Reading,
}

/// Whether the newest page is being read. One reading at a time, however many events are announced meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Idle,
    Asked,
    /// There is more since it was asked for.
    Outdated,
}

/// Whether the trail goes on before the oldest event that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Older {
    Unread,
    Asked,
    None,
}

impl AuditScreen {
    pub(crate) fn new(filter: String) -> Self {
        Self {
            events: Answer::Awaited,
            filter: Input::new(filter.clone()),
            origin: filter,
            typing: Typing::No,
            tenant: None,
            selection: None,
            older: Older::Unread,
            reading: Reading::Idle,
        }
    }

    /// Something was recorded: whether it is to be read now.
    pub(crate) const fn announced(&mut self) -> bool {
        let now = matches!(self.reading, Reading::Idle);
        self.reading = if now { Reading::Asked } else { Reading::Outdated };
        now
    }

    /// The events that match the filter, newest first.
    pub(crate) fn visible(&self, now: OffsetDateTime) -> Vec<&AuditEvent> {
        let Answer::Given(events) = &self.events else { return Vec::new() };
        let terms: Vec<Term<'_>> = self.filter.value().split_whitespace().map(Term::parse).collect();
        events.iter().filter(|event| terms.iter().all(|term| term.matches(event, now))).collect()
    }

    pub(crate) fn selected(&self, now: OffsetDateTime) -> Option<&AuditEvent> {
        let visible = self.visible(now);
        visible.get(self.selected_row(&visible)).copied()
    }

    /// Where the selection is; if its event is filtered out, the next older one that is not.
    pub(crate) fn selected_row(&self, visible: &[&AuditEvent]) -> usize {
        let row = self.selection.map_or(0, |seq| visible.partition_point(|event| event.seq > seq));
        row.min(visible.len().saturating_sub(1))
    }

    pub(crate) fn is_narrowed(&self) -> bool {
        self.filter.value() != self.origin
    }

    /// Forgets what was read, since it was read for another tenant.
    pub(crate) fn begin_anew(&mut self, tenant: Option<String>) {
        self.events = Answer::Awaited;
        self.tenant = tenant;
        self.selection = None;
        self.older = Older::Unread;
    }

    /// The tenant that the filter names in full, if it names one.
    pub(crate) fn named_tenant(&self) -> Option<&str> {
        self.filter.value().split_whitespace().find_map(|term| term.strip_prefix("tenant:"))
    }

    /// Takes the newest page, or refuses to lose what is there to an error.
    pub(crate) fn newest_arrived(&mut self, result: Result<Vec<AuditEvent>, ApiError>) {
        let page = match result {
            Ok(page) => page,
            Err(error) => {
                if !matches!(self.events, Answer::Given(_)) {
                    self.events = Answer::Refused(error);
                }
                return;
            }
        };
        let full = page.len() >= PAGE as usize;
        let oldest = page.last().map(|event| event.seq);
        let kept = match std::mem::replace(&mut self.events, Answer::Awaited) {
            Answer::Given(kept) => kept,
            _ => Vec::new(),
        };
        let overlaps = oldest.zip(kept.first()).is_some_and(|(oldest, newest)| newest.seq >= oldest);
        let mut events = page;
        if overlaps {
            events.extend(kept.into_iter().filter(|event| oldest.is_some_and(|oldest| event.seq < oldest)));
        } else {
            // A gap would look like a trail without one.
            self.older = if full { Older::Unread } else { Older::None };
        }
        self.events = Answer::Given(events);
    }

    pub(crate) fn older_arrived(&mut self, result: Result<Vec<AuditEvent>, ApiError>) {
        let (Answer::Given(events), Ok(page)) = (&mut self.events, result) else {
            self.older = Older::Unread;
            return;
        };
        let room = MAX_EVENTS.saturating_sub(events.len());
        let full = page.len() >= PAGE as usize && room > page.len();
        let last = events.last().map_or(i64::MAX, |event| event.seq);
        events.extend(page.into_iter().filter(|event| event.seq < last).take(room));
        self.older = if full { Older::Unread } else { Older::None };
    }

    /// The number before which older events begin, if they should be read now: the selection is near the end.
    pub(crate) fn wants_older(&self, now: OffsetDateTime) -> Option<i64> {
        let Answer::Given(events) = &self.events else { return None };
        let visible = self.visible(now);
        let near_the_end = self.selected_row(&visible) + 20 >= visible.len();
        (self.older == Older::Unread && near_the_end).then(|| events.last().map(|event| event.seq)).flatten()
    }
}

/// One word of the filter.
enum Term<'a> {
    Tenant(&'a str),
    Actor(&'a str),
    Action(&'a str),
    Outcome(&'a str),
    Since(Duration),
    Anywhere(&'a str),
}

impl<'a> Term<'a> {
    fn parse(word: &'a str) -> Self {
        match word.split_once(':') {
            Some(("tenant", text)) => Self::Tenant(text),
            Some(("actor", text)) => Self::Actor(text),
            Some(("action", text)) => Self::Action(text),
            Some(("outcome", text)) => Self::Outcome(text),
            Some(("since", text)) => span(text).map_or(Self::Anywhere(""), Self::Since),
            _ => Self::Anywhere(word),
        }
    }

    fn matches(&self, event: &AuditEvent, now: OffsetDateTime) -> bool {
        let tenant = event.slug.as_deref().unwrap_or_default();
        let outcome = event.outcome.as_deref().unwrap_or_default();
        match *self {
            Self::Tenant(text) => contains(tenant, text),
            Self::Actor(text) => contains(&event.actor, text),
            Self::Action(text) => contains(&event.action, text),
            Self::Outcome(text) => contains(outcome, text),
            Self::Since(span) => event.at >= now - span,
            Self::Anywhere(text) => {
                let operation = event.operation_id.as_deref().unwrap_or_default();
                [tenant, &event.actor, &event.action, outcome, operation, &event.hash]
                    .iter()
                    .any(|field| contains(field, text))
            }
        }
    }
}

/// Without regard to the case of ASCII letters; asked for each event and each key, so it copies nothing.
fn contains(field: &str, text: &str) -> bool {
    let wanted = text.as_bytes();
    wanted.is_empty() || field.as_bytes().windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted))
}

/// `90s`, `15m`, `3h`, `2d`; nothing while it is being typed.
fn span(text: &str) -> Option<Duration> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd'])?;
    // More than anybody keeps, and far from what a date can hold.
    let number = number.parse::<i64>().ok().filter(|number| (0..=100_000).contains(number))?;
    Some(match text.as_bytes().last() {
        Some(b's') => Duration::seconds(number),
        Some(b'm') => Duration::minutes(number),
        Some(b'h') => Duration::hours(number),
        _ => Duration::days(number.min(36_500)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;
    use crate::ui::testing::{audit_event, now};

    fn screen(events: Vec<AuditEvent>, filter: &str) -> AuditScreen {
        let mut screen = AuditScreen::new(filter.to_owned());
        screen.newest_arrived(Ok(events));
        screen
    }

    fn numbers(screen: &AuditScreen) -> Vec<i64> {
        screen.visible(now()).iter().map(|event| event.seq).collect()
    }

    #[test]
    fn every_word_of_the_filter_has_to_match() {
        let mut old = audit_event(1, "provision", "acme");
        old.at = now() - Duration::days(3);
        let mut denied = audit_event(2, "rollback", "acme");
        denied.outcome = Some("denied".to_owned());
        let events = vec![audit_event(4, "provision", "globex"), denied, old];
        for (filter, wanted) in [
            ("", vec![4, 2, 1]),
            ("tenant:acm", vec![2, 1]),
            ("action:prov", vec![4, 1]),
            ("outcome:DENIED", vec![2]),
            ("since:1d", vec![4, 2]),
            ("since:1", vec![4, 2, 1]),
            ("actor:ops1 glob", vec![4]),
            ("tenant:acme action:provision nothing", vec![]),
        ] {
            assert_eq!(numbers(&screen(events.clone(), filter)), wanted, "{filter}");
        }
    }

    #[test]
    fn what_arrives_moves_the_selection_to_no_other_event() {
        let mut screen = screen(vec![audit_event(2, "b", "acme"), audit_event(1, "a", "acme")], "");
        screen.selection = Some(1);
        screen.newest_arrived(Ok(vec![audit_event(3, "c", "acme"), audit_event(2, "b", "acme")]));
        assert_eq!(numbers(&screen), [3, 2, 1]);
        assert_eq!(screen.selected(now()).map(|event| event.seq), Some(1));
    }

    #[test]
    fn a_page_that_does_not_join_on_replaces_what_was_read() {
        let mut screen = screen(vec![audit_event(2, "b", "acme")], "");
        screen.newest_arrived(Ok(vec![audit_event(900, "z", "acme")]));
        assert_eq!(numbers(&screen), [900]);
    }

    #[test]
    fn older_events_are_read_once_and_joined_at_the_end() {
        let page: Vec<_> = (1..=200).rev().map(|seq| audit_event(seq + 100, "a", "acme")).collect();
        let mut screen = screen(page, "");
        assert_eq!(screen.wants_older(now()), None, "the selection is far from the end");
        screen.selection = Some(105);
        assert_eq!(screen.wants_older(now()), Some(101));
        screen.older_arrived(Ok((1..=100).rev().map(|seq| audit_event(seq, "a", "acme")).collect()));
        assert_eq!((numbers(&screen).len(), screen.older), (300, Older::None));
        let error = ApiError::new(tenantry_protocol::ErrorCode::Unavailable, "gone");
        screen.newest_arrived(Err(error));
        assert_eq!(numbers(&screen).len(), 300, "an error takes nothing away");
    }
}
